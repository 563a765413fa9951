// In CI properties always see the same inputs: what CI says of a change must not hang on luck. Everywhere else the inputs
// are new in every run, which is how rare cases are found; a failure prints its seed.
import { configureGlobal } from "fast-check";

if (process.env["CI"] === "true") configureGlobal({ seed: 20_261_123 });
