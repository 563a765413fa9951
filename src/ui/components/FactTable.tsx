import { Paper, Table, Text } from "@mantine/core";
import type { ReactNode } from "react";

export type Fact = readonly [name: string, value: ReactNode];

/** Names and values, one a row, under a title. */
export function FactTable({ title, facts }: { title: string; facts: readonly Fact[] }) {
  return (
    <Paper className="card" component="section" aria-label={title}>
      <div className="card-head">
        <Text fw={650}>{title}</Text>
      </div>
      <Table verticalSpacing={9} className="plain-table fixed">
        <Table.Tbody>
          {facts.map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th scope="row" w="40%" className="fact-name">
                {name}
              </Table.Th>
              <Table.Td className="wrap-anywhere">{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
