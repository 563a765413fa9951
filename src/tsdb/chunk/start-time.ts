import type { BitReader, BitWriter } from "./bit-stream.ts";

/** The sample from which start times are stored at the latest: the greatest index the header can hold. */
const LAST_INDEX = 127;
const FIRST_HAS_START = 0x80;

/**
 * The start times of a chunk's samples, 0 where unknown. They rarely change, so nothing is stored for them until the
 * first sample whose start time differs from the one before; from there each is stored as its distance from the time
 * of the sample before.
 */
export class StartTimeWriter {
  private header = 0;
  private count = 0;
  private previousStart = 0;
  private previousTime = 0;
  private previousDistance = 0;

  /** @param headerByte where in the stream the header byte lies */
  constructor(private readonly headerByte: number) {}

  /** Call behind each sample's time and value. */
  write(writer: BitWriter, timeMs: number, startMs: number): void {
    const index = this.count++;
    const firstStored = this.header & LAST_INDEX;
    if (index === 0) {
      if (startMs !== 0) {
        writer.varint(timeMs - startMs);
        this.header = FIRST_HAS_START;
      }
    } else if (firstStored !== 0) {
      const distance = this.previousTime - startMs;
      writer.varbitInt(distance - this.previousDistance);
      this.previousDistance = distance;
    } else if (startMs !== this.previousStart || index === LAST_INDEX) {
      this.header |= index;
      this.previousDistance = this.previousTime - startMs;
      writer.varbitInt(this.previousDistance);
    }
    writer.setByte(this.headerByte, this.header);
    this.previousStart = startMs;
    this.previousTime = timeMs;
  }
}

export class StartTimeReader {
  private index = 0;
  private start = 0;
  private previousTime = 0;
  private distance = 0;

  constructor(private readonly header: number) {}

  /** Call behind each sample's time and value. @returns the start time, 0 if there is none */
  read(reader: BitReader, timeMs: number): number {
    const index = this.index++;
    const firstStored = this.header & LAST_INDEX;
    if (index === 0) {
      if (this.header & FIRST_HAS_START) this.start = timeMs - reader.varint();
    } else if (firstStored !== 0 && index >= firstStored) {
      this.distance += reader.varbitInt();
      this.start = this.previousTime - this.distance;
    }
    this.previousTime = timeMs;
    return this.start;
  }
}
