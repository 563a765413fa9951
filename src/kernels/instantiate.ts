import { kernelsWasmBase64 } from "./kernels-wasm.ts";

/**
 * The compiled kernels, one module for all three; each memory gets an instance of its own.
 *
 * The module's static data and stack live in the first `RESERVED_BYTES` of whatever memory it is given; everything
 * above belongs to the owner of the memory.
 */
export const RESERVED_BYTES = 65536;
export const WASM_PAGE_BYTES = 65536;

let compiled: WebAssembly.Module | undefined;

/** The functions `assembly/index.ts` exports. Pointers are byte offsets, passed as unsigned 32-bit numbers. */
export type KernelExports = Readonly<Record<string, (...args: number[]) => number>>;

/** Binds the kernels to a shared memory. A pointer that comes back from an export may be negative: use `>>> 0`. */
export function instantiateKernels(memory: WebAssembly.Memory): KernelExports {
  compiled ??= new WebAssembly.Module(Buffer.from(kernelsWasmBase64, "base64"));
  const instance = new WebAssembly.Instance(compiled, {
    env: {
      memory,
      abort: (_message: number, _file: number, line: number, column: number) => {
        throw new Error(`kernel assertion failed at ${line}:${column}`);
      },
    },
  });
  return instance.exports as unknown as KernelExports;
}

/**
 * A shared memory of its final size. Address space is reserved at once, real memory comes page by page as it is
 * touched, so no view ever goes stale and there is no growth to agree on between threads.
 */
export function reserveSharedMemory(sizeBytes: number): WebAssembly.Memory {
  const pages = Math.ceil(sizeBytes / WASM_PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}
