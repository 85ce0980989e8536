# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive the layer, so the binary is copied out of the target folder.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --package watchfire \
    && install -D --strip target/release/watchfire /out/watchfire

FROM debian:bookworm-slim
# librdkafka links OpenSSL; the health check asks with curl.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/watchfire --create-home watchfire
COPY --from=build /out/watchfire /usr/local/bin/watchfire
USER watchfire
WORKDIR /var/lib/watchfire
VOLUME /var/lib/watchfire
# A container's network is not the host's: what is published, and behind which TLS proxy, is decided
# where the container is run. The broker stays on loopback unless it is told otherwise.
ENV WATCHFIRE_SERVER_DATA_DIR=/var/lib/watchfire \
    WATCHFIRE_SERVER_LISTEN=0.0.0.0:8080 \
    WATCHFIRE_SERVER_ALLOW_INSECURE_LISTEN=true \
    WATCHFIRE_LOG_FORMAT=json
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/readyz"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["watchfire"]
CMD ["serve"]
