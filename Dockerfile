# The relay, and nothing else: no shell, no package manager.
#
#   docker build -t susurro-relay .
#   docker run --read-only -p 127.0.0.1:8080:8080 -v susurro:/var/lib/susurro susurro-relay
#
# `cargo xtask image-check` walks through the same steps on a machine without a container engine.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Only the relay: SQLCipher, and with it OpenSSL and perl, belongs to the client.
RUN cargo build --locked --release --package susurro-server \
 && install -d -m 0700 /out/data \
 && install -m 0755 target/release/susurro-server /out/susurro-server

# libc, and the certificates of the public authorities for ACME and databases behind TLS.
FROM gcr.io/distroless/cc-debian12
COPY --from=build /out/susurro-server /usr/local/bin/susurro-server
# A fixed number, so that volumes keep their owner from image to image.
COPY --from=build --chown=10001:10001 /out/data /var/lib/susurro
USER 10001:10001
VOLUME /var/lib/susurro
EXPOSE 8080
STOPSIGNAL SIGTERM
# Variables, so that `docker run --env` and Compose can say otherwise; docs/configuration.md has all of them.
# Plain HTTP inside the container: what stands in front of the published port has to end TLS, in a private
# network, or the relay gets a certificate of its own and SUSURRO_BEHIND_PROXY=false.
ENV SUSURRO_DATA_DIR=/var/lib/susurro \
    SUSURRO_LISTEN=0.0.0.0:8080 \
    SUSURRO_BEHIND_PROXY=true
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["/usr/local/bin/susurro-server", "healthcheck", "--url", "http://127.0.0.1:8080"]
ENTRYPOINT ["/usr/local/bin/susurro-server"]
CMD ["serve"]
