# The image only copies; scripts/prepare-image.ts makes what it copies (.work/image), so the build needs no network and no shell:
#
#   npm ci && node scripts/prepare-image.ts && docker build -t krake-hooks:0.1.0 .
#
# Any image with Node 24 and CA certificates can be the base. For a release pin the digest:
#   docker build --build-arg BASE_IMAGE=gcr.io/distroless/nodejs24-debian13@sha256:... .
ARG BASE_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot
FROM ${BASE_IMAGE}

LABEL org.opencontainers.image.title="krake-hooks" \
      org.opencontainers.image.description="An application and its cluster tell each other what is about to happen" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"

# Distroless has node in /nodejs/bin, others in /usr/local/bin.
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin \
    NODE_ENV=production

# The service owns none of its own files.
COPY --chown=0:0 .work/image /app
WORKDIR /app
USER 65532:65532
EXPOSE 8080 8443 8444
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["serve"]
