// The one module: each kernel's exports, from its own file.
export * from "./chunk-append";
export * from "./chunk-decode";
export * from "./chunk-gather";
export * from "./exposition-parse";
export * from "./float-print";
export * from "./log-samples";
export * from "./series-entries";
export * from "./snappy";
export * from "./window";
export * from "./block-merge";
export * from "./checksum";
