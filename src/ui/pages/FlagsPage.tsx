import { Paper, Table } from "@mantine/core";
import { useState } from "react";
import type { FlagsData } from "../../api/types.ts";
import { PageHeader } from "../components/PageHeader.tsx";
import { EmptyNotice, ReadState } from "../components/PageState.tsx";
import { matchesSearch, SearchField } from "../components/SearchField.tsx";
import { useApi } from "../use-api.ts";

function FlagTable({ flags, search }: { flags: FlagsData; search: string }) {
  const found = Object.entries(flags)
    .filter(([name, value]) => matchesSearch(search, `--${name}`, value))
    .sort(([a], [b]) => a.localeCompare(b));
  if (found.length === 0) return <EmptyNotice title="No flag matches the search" />;
  return (
    <Paper className="card">
      <Table verticalSpacing={7} className="plain-table fixed">
        <Table.Thead>
          <Table.Tr>
            <Table.Th w="50%">Flag</Table.Th>
            <Table.Th>Value</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {found.map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Td ff="monospace" className="wrap-anywhere">
                --{name}
              </Table.Td>
              <Table.Td ff="monospace" className="wrap-anywhere">
                {value === "" ? <span className="dim">empty</span> : value}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

export default function FlagsPage() {
  const flags = useApi<FlagsData>("status/flags");
  const [search, setSearch] = useState("");
  return (
    <>
      <PageHeader title="Flags" summary="The command line the server runs with, defaults included.">
        <SearchField value={search} onChange={setSearch} label="Search flags" />
      </PageHeader>
      <ReadState read={flags}>{(data) => <FlagTable flags={data} search={search} />}</ReadState>
    </>
  );
}
