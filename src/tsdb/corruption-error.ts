/** Bytes on disk are not what was written there. Where and how is in the message. */
export class CorruptionError extends Error {
  override readonly name = "CorruptionError";
}
