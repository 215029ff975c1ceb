# The image brings gcc, and nothing else is needed: aws-lc-sys comes with its assembly and bindings ready-made and so
# builds without cmake, and SQLite, zstd and mimalloc are built from their bundled sources.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
ENV CARGO_TARGET_DIR=/target
COPY . .
# The caches keep what the dependencies compile to. Cargo goes by the times of files, and a checkout may be older than
# what the cache was last made from: touched, our own sources are always compiled.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target,sharing=locked \
    find . -type f -exec touch {} + \
    && cargo build --release --locked \
    && cp /target/release/khoosheh /khoosheh

# The same Debian as above: the binary is linked against its C library.
FROM debian:bookworm-slim
COPY --from=build /khoosheh /usr/local/bin/khoosheh
# What an S3-compatible store shows who it is with.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
RUN install --directory --owner=10001 --group=10001 /var/lib/khoosheh
# By default it listens on the loopback address, which nobody reaches from outside a container.
ENV KHOOSHEH_BIND=0.0.0.0:8080 KHOOSHEH_LOG_FORMAT=json
# Spreadsheets are put together in files without a name: on a disk, as /tmp may be memory.
ENV TMPDIR=/var/lib/khoosheh
# A number, so that a supervisor can see without /etc/passwd that it is not root.
USER 10001:10001
EXPOSE 8080
# bash is in the image anyway; curl would have to be installed, for this alone.
HEALTHCHECK CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [[ $status == 200 ]]"]
ENTRYPOINT ["khoosheh"]
CMD ["serve"]
