import { setFlagsFromString } from "node:v8";

/**
 * Keeps V8's nursery at the size it starts with, in every thread. By default it grows to 16 MiB twice over in each
 * isolate as soon as something allocates steadily, and resident memory grows with it; but what is hot here lives in
 * shared memory, and what is left for the collector is little. Imported first, before anything allocates.
 */
setFlagsFromString("--semi-space-growth-factor=1");
