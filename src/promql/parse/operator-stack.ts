/**
 * Turns a flat run of operands and operators into a tree by precedence. Operators of equal precedence group to the
 * left unless they ask for the right; a prefix operator takes what binds tighter than itself.
 *
 * A loop over a stack rather than a rule per level: a parenthesis then costs two levels of recursion, not ten.
 */
export class OperatorStack<T> {
  private readonly operands: T[] = [];
  private readonly pending: PendingOperator<T>[] = [];

  operand(value: T): void {
    this.operands.push(value);
  }

  /** To be called before the operand it stands in front of. */
  prefix(precedence: number, combine: (operand: T) => T): void {
    this.pending.push({ precedence, combinePrefix: combine, combineInfix: null });
  }

  infix(precedence: number, groupsRight: boolean, combine: (left: T, right: T) => T): void {
    this.reduce(groupsRight ? precedence + 1 : precedence);
    this.pending.push({ precedence, combinePrefix: null, combineInfix: combine });
  }

  finish(): T {
    this.reduce(0);
    return this.operands.pop()!;
  }

  /** Applies what is pending and binds at least as tightly as `precedence`. */
  private reduce(precedence: number): void {
    while (this.pending.length > 0 && this.pending.at(-1)!.precedence >= precedence) {
      const operator = this.pending.pop()!;
      const right = this.operands.pop()!;
      if (operator.combineInfix === null) this.operands.push(operator.combinePrefix(right));
      else this.operands.push(operator.combineInfix(this.operands.pop()!, right));
    }
  }
}

type PendingOperator<T> =
  | {
      readonly precedence: number;
      readonly combinePrefix: (operand: T) => T;
      readonly combineInfix: null;
    }
  | {
      readonly precedence: number;
      readonly combinePrefix: null;
      readonly combineInfix: (left: T, right: T) => T;
    };
