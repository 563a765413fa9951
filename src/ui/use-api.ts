import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { SuccessBody } from "../api/types.ts";
import { apiGet, type ApiError, type Parameters } from "./api-client.ts";

/** What a page reads: asked on mount, kept while its page is left and come back to, then asked again. */
export function useApi<Data>(
  path: string,
  parameters: Parameters = {},
  options: { enabled?: boolean; refetchIntervalMs?: number } = {},
): UseQueryResult<SuccessBody<Data>, ApiError> {
  return useQuery<SuccessBody<Data>, ApiError>({
    queryKey: [path, parameters],
    queryFn: ({ signal }) => apiGet<Data>(path, parameters, signal),
    enabled: options.enabled ?? true,
    refetchInterval: options.refetchIntervalMs ?? false,
  });
}
