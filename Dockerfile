# The proxy alone, about 30 MB above the base image. Build: docker build -t tideover .
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin tideover && strip --strip-debug target/release/tideover

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home tideover
COPY --from=build /src/target/release/tideover /usr/local/bin/tideover
USER 10001
# Clients; admin API, metrics and probes.
EXPOSE 3307 9307
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --start-period=10s CMD ["tideover", "status"]
ENTRYPOINT ["tideover"]
CMD ["run", "-c", "/etc/tideover/tideover.toml"]
