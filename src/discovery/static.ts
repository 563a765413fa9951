import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import type { Mechanism } from "./mechanism.ts";

/** The targets that the configuration lists; they never change. */
export function staticDiscovery(configs: readonly DiscoveryConfigOf<"static">[]): Mechanism {
  return {
    run: (emit) => {
      emit(
        configs.map(({ labels, targets }, i) => ({
          source: String(i),
          targets: targets.map((address) => ({ __address__: address })),
          labels,
        })),
      );
      return Promise.resolve();
    },
  };
}
