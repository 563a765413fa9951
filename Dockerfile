# Build with the newest Node LTS; run as nobody, data on the /prometheus volume, as Prometheus's own image does.
FROM node:lts-slim AS build
WORKDIR /narthex
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node scripts/build.mjs && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:lts-slim
WORKDIR /narthex
COPY --from=build /narthex/package.json ./
COPY --from=build /narthex/node_modules ./node_modules
COPY --from=build /narthex/dist ./dist
COPY prometheus.yml /etc/prometheus/prometheus.yml
RUN mkdir /prometheus && chown 65534:65534 /prometheus
USER 65534:65534
VOLUME /prometheus
EXPOSE 9090
ENTRYPOINT ["node", "/narthex/dist/server.js"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
