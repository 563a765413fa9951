/**
 * The path under which the server lives, with a slash at both ends: `/`, or `/monitoring/` behind a route
 * prefix. Every page of ours is one segment below it (`/monitoring/query`), so the prefix is what the first
 * address has before its last segment, and the server needs to tell nothing.
 */
export const PATH_PREFIX = window.location.pathname.replace(/[^/]*$/, "");
