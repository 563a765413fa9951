import type { HeadControl } from "./head-control.ts";

/** What has to be looked at again when a view moves on. */
export interface ViewMember {
  /** @returns false if it could not be told what the view sees */
  refresh(): boolean;
}

/** How often a view moves on before it takes what it can get. */
const MAX_MOVES = 8;

/**
 * The moment in the head's life that a query sees, the same in all generations: everything up to a commit.
 *
 * A series remembers how many samples it had before its last commit, not before the one before that. A query that
 * selects so late that two commits came to a series moves on to a newer moment, with all it has selected so far,
 * unless it has read samples already.
 */
export class HeadView {
  /** The last commit that is seen; null for all there is, where nothing is written any more. */
  commit: number | null;
  private readonly members: ViewMember[] = [];
  private hasRead = false;

  /** @param control null for a head that is not written any more */
  constructor(private readonly control: HeadControl | null) {
    this.commit = control?.commit ?? null;
  }

  add(member: ViewMember): void {
    this.members.push(member);
  }

  /** Samples have been read: the view stays where it is. */
  fix(): void {
    this.hasRead = true;
  }

  /** Something of what the view sees is not known any more. @returns whether it moved to where all is known */
  moveOn(): boolean {
    for (let i = 0; i < MAX_MOVES && !this.hasRead && this.control; i++) {
      this.commit = this.control.commit;
      if (this.members.every((member) => member.refresh())) return true;
    }
    return false;
  }
}
