# sluiced and sluicectl on Debian. Build and run:
#
#   docker build -t sluice .
#   docker run --network host --cap-drop ALL \
#     --cap-add NET_ADMIN --cap-add NET_RAW --cap-add IPC_LOCK \
#     --security-opt systempaths=unconfined --security-opt apparmor=unconfined \
#     --device /dev/net/tun -v /etc/sluice:/etc/sluice:ro sluice
#
# The daemon sets sysctls of its interfaces, below /proc/sys/net. Docker mounts
# /proc/sys read-only, and its AppArmor profile refuses writes there: hence both
# options (the second does nothing where there is no AppArmor).
#
# `make test-image` replays these steps in a plain Debian tree, without Docker.

FROM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev pkg-config libdpdk-dev
WORKDIR /src
COPY . .
RUN go build -trimpath -o /out/sluiced ./cmd/sluiced
RUN CGO_ENABLED=0 go build -trimpath -o /out/sluicectl ./cmd/sluicectl

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
    librte-meta-net librte-meta-mempool librte-meta-bus libcap2-bin && rm -rf /var/lib/apt/lists/*
RUN useradd --system --home-dir /run/sluice --shell /usr/sbin/nologin sluice
COPY --from=build /out/ /usr/bin/
COPY deploy/sluice.yaml /etc/sluice/sluice.yaml
# The daemon runs as its own user with exactly these.
RUN setcap cap_net_admin,cap_net_raw,cap_ipc_lock=ep /usr/bin/sluiced
RUN install -d -m 0750 -o sluice -g sluice /run/sluice
ENV XDG_RUNTIME_DIR=/run/sluice
USER sluice
HEALTHCHECK CMD ["sluicectl", "status"]
ENTRYPOINT ["sluiced"]
CMD ["--config", "/etc/sluice/sluice.yaml"]
