import type { Subject } from "../subject.ts";
import { blocks } from "./blocks.ts";
import { compression } from "./compression.ts";
import { configuration } from "./configuration.ts";
import { discovery } from "./discovery.ts";
import { expositionText, openMetrics, otherText } from "./exposition.ts";
import { logs } from "./logs.ts";
import { protobuf } from "./protobuf.ts";
import { promql, queries } from "./queries.ts";
import { patterns } from "./relabel.ts";
import { templates } from "./templates.ts";

/** Each group has a process, and its subjects share its time. */
export const SUBJECT_GROUPS: readonly (readonly Subject[])[] = [
  [expositionText],
  [openMetrics],
  [protobuf, ...otherText, ...compression],
  configuration,
  [promql, ...queries],
  patterns,
  logs,
  blocks,
  discovery,
  templates,
];

export const SUBJECTS: readonly Subject[] = SUBJECT_GROUPS.flat();

/** @throws Error listing the names there are */
export function subjectNamed(name: string): Subject {
  const subject = SUBJECTS.find((candidate) => candidate.name === name);
  if (subject === undefined) {
    throw new Error(
      `no subject is called ${name}; there are ${SUBJECTS.map((each) => each.name).join(", ")}`,
    );
  }
  return subject;
}
