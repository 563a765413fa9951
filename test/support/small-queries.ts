import fc from "fast-check";
import { MemoryQueryable, type TestSample } from "./memory-queryable.ts";

const value = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 50 }) },
  { weight: 3, arbitrary: fc.double({ min: -100, max: 100, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom<(number | "stale")[]>(NaN, Infinity, "stale") },
);
const samples = fc
  .array(fc.record({ gap: fc.integer({ min: 1, max: 9 }), value }), { maxLength: 40 })
  .map((steps) => {
    let time = 0;
    return steps.map(({ gap, value }): TestSample => [(time += gap * 5_000), value]);
  });
/** A few series of two metrics, with gaps, resets, markers and what is no number. */
export const anyStorage = fc
  .array(
    fc.tuple(
      fc.constantFrom("a_total", "b"),
      fc.constantFrom("x", "y"),
      fc.constantFrom("1", "2", "3"),
      samples,
    ),
    {
      maxLength: 8,
    },
  )
  .map((series) => {
    const queryable = new MemoryQueryable();
    const seen = new Set<string>();
    for (const [name, job, instance, points] of series) {
      const key = `${name} ${job} ${instance}`;
      if (!seen.has(key)) queryable.add({ __name__: name, job, instance }, points);
      seen.add(key);
    }
    return queryable;
  });

const { vector } = fc.letrec<{ vector: string; scalar: string }>((tie) => ({
  vector: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom("a_total", "b", 'b{job="x"}', "a_total offset 20s", "b @ 60", "vector(time())"),
    fc
      .tuple(
        fc.constantFrom("rate", "increase", "delta", "irate", "idelta", "resets", "changes", "deriv"),
        fc.constantFrom("a_total[1m]", "b[37s]", "b[2m] offset 10s", "a_total[1m:20s]", "b[1m] @ 80"),
      )
      .map(([f, range]) => `${f}(${range})`),
    fc
      .tuple(
        fc.constantFrom(
          "sum",
          "avg",
          "min",
          "max",
          "count",
          "last",
          "first",
          "present",
          "stddev",
          "stdvar",
          "mad",
        ),
        fc.constantFrom("a_total[1m]", "b[90s]", "b[2m:15s]"),
      )
      .map(([f, range]) => `${f}_over_time(${range})`),
    fc.constantFrom("quantile_over_time(0.3, b[1m])", "predict_linear(a_total[1m], 60)", "absent(b)"),
    fc
      .tuple(
        fc.constantFrom("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"),
        fc.constantFrom("", " by (job)", " without (instance)"),
        tie("vector"),
      )
      .map(([op, clause, of]) => `${op}${clause} (${of})`),
    fc
      .tuple(fc.constantFrom("abs", "ceil", "sgn", "timestamp", "hour", "-"), tie("vector"))
      .map(([f, of]) => `${f}(${of})`),
    fc
      .tuple(tie("vector"), fc.constantFrom("+", "*", "/", ">", "<= bool", "%"), tie("scalar"))
      .map((p) => `(${p.join(" ")})`),
    fc
      .tuple(
        fc.constantFrom("a_total", "rate(a_total[1m])"),
        fc.constantFrom("+", "-", ">", "and", "or", "unless"),
        fc.constantFrom("b", "sum by (job, instance) (b)"),
      )
      .map(([l, op, r]) => `(${l} ${op} on (job, instance) ${r})`),
    tie("vector").map((of) => `max_over_time((${of})[1m:30s])`),
  ),
  scalar: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom("2", "time()", "0.5"),
    tie("vector").map((of) => `scalar(${of})`),
  ),
}));

// Only outermost: what is above them would depend on their order, which differs between an instant and a range.
const ranked = fc
  .tuple(fc.constantFrom("topk(2, ", "bottomk by (job) (1, ", "limitk(2, ", "quantile(0.4, "), vector)
  .map(([op, of]) => `${op}${of})`);
/** A query over them whose answer at a step depends on that step alone. */
export const anyQuery = fc.oneof({ weight: 4, arbitrary: vector }, { weight: 1, arbitrary: ranked });
