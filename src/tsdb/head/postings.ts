import { StorageError } from "../../model/storage.ts";
import { Header, LIST_BYTES, type Arena } from "./arena.ts";
import { HashTable } from "./hash-table.ts";
import { mixHash } from "./symbol-table.ts";

/** The list of all label names' lists. */
const NAMES_LIST = 1;

/**
 * The inverted index of a generation, made of append-only lists of ascending numbers, three kinds under one roof:
 *
 *   (0, 0)         the lists of all label names
 *   (name, 0)      the lists of all pairs with this name: its values
 *   (name, value)  the series that have this pair
 *
 * A list is numbered from 1 and has a fixed part of eight words:
 *
 *   name │ value │ count │ first block │ tail block │ used, size (u16 each) │ last number │ first number
 *
 * Further numbers are varint differences in a chain of blocks of 16, 32, … 1024 bytes: a word for the next block,
 * then differences that never cross a block's end; a 0 byte, or the end, sends the reader on.
 * Block addresses are byte offsets / 4.
 */
export class Postings {
  private readonly table: HashTable;
  private readonly base: number;
  private readonly hashOf = (list: number) => hashPair(this.nameOf(list), this.valueOf(list));

  constructor(private readonly arena: Arena) {
    this.table = new HashTable(arena, Header.listTable);
    this.base = arena.lists / 4;
  }

  get listCount(): number {
    return this.arena.header(Header.listCount);
  }

  nameOf(list: number): number {
    return this.arena.words[this.base + LIST_WORDS * list + Field.name]!;
  }

  valueOf(list: number): number {
    return this.arena.words[this.base + LIST_WORDS * list + Field.value]!;
  }

  /** How many numbers the list holds. */
  count(list: number): number {
    return Atomics.load(this.arena.atomic, this.base + LIST_WORDS * list + Field.count);
  }

  /** @returns the list of a pair of symbols (of a name where `value` is 0), or 0 */
  find(name: number, value: number): number {
    const { table, base } = this;
    const words = this.arena.words;
    let list: number;
    for (
      let slot = table.slotOf(hashPair(name, value));
      (list = table.at(slot)) !== 0;
      slot = table.next(slot)
    ) {
      const at = base + LIST_WORDS * list;
      if (words[at + Field.name] === name && words[at + Field.value] === value) return list;
    }
    return 0;
  }

  /** The list of a pair of symbols, new (and listed with its name) if need be. Writer only. */
  intern(name: number, value: number): number {
    const found = this.find(name, value);
    if (found !== 0) return found;
    if (name === 0) return this.create(0, 0);
    const parent = value === 0 ? this.intern(0, 0) : this.intern(name, 0);
    const list = this.create(name, value);
    this.append(parent, list);
    return list;
  }

  /** The lists of all label names. */
  nameLists(): Uint32Array {
    return this.listCount === 0 ? new Uint32Array(0) : this.read(NAMES_LIST);
  }

  private create(name: number, value: number): number {
    const list = this.listCount + 1;
    if (list > this.arena.maxLists) {
      throw new StorageError(`cannot take another label pair: the generation has ${list - 1} of them`);
    }
    const at = this.base + LIST_WORDS * list;
    this.arena.words[at + Field.name] = name;
    this.arena.words[at + Field.value] = value;
    this.arena.setHeader(Header.listCount, list);
    this.table.add(hashPair(name, value), list, this.hashOf);
    return list;
  }

  /** Appends a number greater than all in the list. Writer only. */
  append(list: number, number: number): void {
    const { words, bytes, atomic } = this.arena;
    const at = this.base + LIST_WORDS * list;
    const count = words[at + Field.count]!;
    if (count === 0) words[at + Field.firstNumber] = number;
    else {
      let difference = number - words[at + Field.lastNumber]!;
      const length =
        difference < 2 ** 7
          ? 1
          : difference < 2 ** 14
            ? 2
            : difference < 2 ** 21
              ? 3
              : difference < 2 ** 28
                ? 4
                : 5;
      let used = words[at + Field.tailUse]! & 0xffff;
      let size = words[at + Field.tailUse]! >>> 16;
      if (used + length > size) {
        size = size === 0 ? FIRST_BLOCK_BYTES : Math.min(2 * size, MAX_BLOCK_BYTES);
        const block = this.arena.allocateRun(size) / 4;
        const tail = words[at + Field.tailBlock]!;
        if (tail === 0) words[at + Field.firstBlock] = block;
        else words[tail] = block;
        words[at + Field.tailBlock] = block;
        used = 4;
      }
      let pointer = 4 * words[at + Field.tailBlock]! + used;
      for (; difference > 127; difference >>>= 7) bytes[pointer++] = (difference & 127) | 128;
      bytes[pointer] = difference;
      words[at + Field.tailUse] = (size << 16) | (used + length);
    }
    words[at + Field.lastNumber] = number;
    Atomics.store(atomic, at + Field.count, count + 1);
  }

  /** The numbers of a list, ascending. */
  read(list: number): Uint32Array {
    const numbers = new Uint32Array(this.count(list));
    this.forEach(list, numbers.length, (number, i) => (numbers[i] = number));
    return numbers;
  }

  /** The first `count` numbers of a list, ascending. */
  forEach(list: number, count: number, visit: (number: number, index: number) => void): void {
    if (count === 0) return;
    const { words, bytes } = this.arena;
    const at = this.base + LIST_WORDS * list;
    let number = words[at + Field.firstNumber]!;
    visit(number, 0);
    if (count === 1) return;
    let block = words[at + Field.firstBlock]!;
    let size = FIRST_BLOCK_BYTES;
    let pointer = 4 * block + 4;
    for (let i = 1; i < count; i++) {
      if (pointer === 4 * block + size || bytes[pointer] === 0) {
        block = words[block]!;
        size = Math.min(2 * size, MAX_BLOCK_BYTES);
        pointer = 4 * block + 4;
      }
      let byte = bytes[pointer++]!;
      let difference = byte & 127;
      for (let shift = 7; byte > 127; shift += 7) {
        byte = bytes[pointer++]!;
        difference |= (byte & 127) << shift;
      }
      number += difference;
      visit(number, i);
    }
  }
}

const LIST_WORDS = LIST_BYTES / 4;
const Field = {
  name: 0,
  value: 1,
  count: 2,
  firstBlock: 3,
  tailBlock: 4,
  tailUse: 5,
  lastNumber: 6,
  firstNumber: 7,
} as const;
const FIRST_BLOCK_BYTES = 16;
const MAX_BLOCK_BYTES = 1024;

function hashPair(name: number, value: number): number {
  return mixHash(mixHash(0x2545f491, name), value);
}
