# syntax=docker/dockerfile:1

# One image per command: docker build --target worker|receiver|api|starter|codec|sandbox .
# The final stages hold a static binary, certificates and time zones, and no
# shell; they run as user 65532.

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# What --version says: --build-arg VERSION=$(git describe --always --dirty).
ARG VERSION=
# Without C the binaries run on an empty image, and building for another
# architecture needs no emulation.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X github.com/tarspay-payouts/orchestrator/internal/commandline.stamped=$VERSION" -o /out/ ./cmd/worker ./cmd/receiver ./cmd/api ./cmd/starter ./cmd/codec ./harness/cmd/sandbox
RUN mkdir /data

FROM gcr.io/distroless/static-debian12:nonroot AS base

FROM base AS starter
COPY --from=build /out/starter /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/starter"]

FROM base AS codec
COPY --from=build /out/codec /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/codec"]

FROM base AS sandbox
COPY --from=build /out/sandbox /usr/local/bin/
# Where --state may keep the book: a volume mounted here takes over its owner.
COPY --from=build --chown=65532:65532 /data /data
ENTRYPOINT ["/usr/local/bin/sandbox"]

FROM base AS receiver
COPY --from=build /out/receiver /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/receiver"]

FROM base AS api
COPY --from=build /out/api /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/api"]

# Last, so that a build without --target is the worker.
FROM base AS worker
COPY --from=build /out/worker /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/worker"]
