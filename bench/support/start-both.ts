import { cpSync } from "node:fs";
import { join } from "node:path";
import { startNarthex, startPrometheus } from "../../test/support/servers.ts";
import type { SpawnedServer } from "../../test/support/spawned-server.ts";

const TIMEOUT_MS = 240_000;

/**
 * Starts Prometheus, then Narthex, each on its own copy of a data directory, made below `folder`.
 *
 * @param running where each is put as soon as it runs, Prometheus first: the caller stops what is in there, whatever comes
 * @returns the seconds that each took to start
 */
export async function startBoth(
  data: string,
  folder: string,
  running: SpawnedServer[],
  config = "scrape_configs: []\n",
): Promise<[prometheus: number, narthex: number]> {
  const startOne = async (name: string, start: typeof startNarthex): Promise<number> => {
    const own = join(folder, name);
    cpSync(data, join(own, "data"), { recursive: true });
    const begun = performance.now();
    running.push(await start({ config, folder: own, timeoutMs: TIMEOUT_MS }));
    return (performance.now() - begun) / 1000;
  };
  return [await startOne("prometheus", startPrometheus), await startOne("narthex", startNarthex)];
}
