// Not a bench: the process that serves the pages the others scrape. PORT SERIES CHURN [identity]
import { servePages } from "../support/page-server.ts";

const [port, series, churn] = process.argv.slice(2).map(Number);
servePages({ port: port!, series: series!, churn: churn ?? 0, compresses: process.argv[5] !== "identity" });
