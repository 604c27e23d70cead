# The relay, and nothing else.
#
#   docker build -t susurro-relay .
#   docker run -p 127.0.0.1:8080:8080 -v susurro:/var/lib/susurro susurro-relay
#
# `cargo xtask image-check` walks through the same steps on a machine without a container engine.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Only the relay: SQLCipher, and with it OpenSSL and perl, belongs to the client.
RUN cargo build --locked --release --package susurro-server \
 && install -d -m 0700 /out/data \
 && install -m 0755 target/release/susurro-server /out/susurro-server

FROM debian:bookworm-slim
# A fixed number, so that volumes keep their owner from image to image.
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin susurro
COPY --from=build /out/susurro-server /usr/local/bin/susurro-server
COPY --from=build --chown=10001:10001 /out/data /var/lib/susurro
USER 10001:10001
VOLUME /var/lib/susurro
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["susurro-server", "healthcheck", "--url", "http://127.0.0.1:8080"]
ENTRYPOINT ["susurro-server"]
# Plain HTTP inside the container: what stands in front of the published port has to end TLS, or
# the relay gets its own certificate (--tls-cert, --tls-key) and loses --behind-proxy.
CMD ["serve", "--data-dir", "/var/lib/susurro", "--listen", "0.0.0.0:8080", "--behind-proxy"]
