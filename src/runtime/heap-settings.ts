import { setFlagsFromString } from "node:v8";

// How V8 spends memory, in every thread; imported first, before anything allocates.

// Keep each nursery at the size it starts with. It would grow to 16 MiB twice over in every isolate as soon as
// something allocates steadily, and resident memory with it; but what is hot here lives in shared memory, and what is
// left for the collector is little.
setFlagsFromString("--semi-space-growth-factor=1");

// Optimise one kernel after the other. Each takes tens of megabytes while it is compiled, which the allocator keeps.
setFlagsFromString("--wasm-num-compilation-tasks=1");

// Scavenge alone. Nurseries are a megabyte: waking helpers, each with a stack and an arena, costs more than they help.
setFlagsFromString("--no-parallel-scavenge");
