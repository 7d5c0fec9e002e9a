# Builds model-cache and puts it in front of F5-TTS.
#
#   docker build -t f5-tts-cached .
#
# Another server: --build-arg BASE_IMAGE=... --build-arg SERVER_PACKAGES="..." and a CMD of your own.
ARG NODE_IMAGE=node:24-bookworm-slim
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY tools tools
RUN npm ci
COPY rolldown.config.js ./
COPY src src
RUN npm run build

FROM ${BASE_IMAGE}
# ffmpeg reads the reference audio; libstdc++ is what Node needs and a slim base may lack.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg libstdc++6 \
    && rm -rf /var/lib/apt/lists/*
# torch and torchaudio must be of one CUDA version; compiled bytecode makes every start seconds faster.
# The versions are pinned in SERVER_PACKAGES.
ARG SERVER_PACKAGES="f5-tts==1.1.22 torch==2.11.* torchaudio==2.11.*"
# hadolint ignore=DL3013
RUN pip install --no-cache-dir --compile ${SERVER_PACKAGES}
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /build/package.json /opt/model-cache/package.json
COPY --from=build /build/dist /opt/model-cache/dist
COPY --from=build /build/node_modules/@napi-rs /opt/model-cache/node_modules/@napi-rs
COPY bin /opt/model-cache/bin
RUN chmod -R a+rX /opt/model-cache \
    && ln -s /opt/model-cache/bin/model-cache.js /usr/local/bin/model-cache \
    && model-cache --version
# As PID 1, a server without a handler never stops on TERM, and gradio has none; INT ends it cleanly.
STOPSIGNAL SIGINT
ENTRYPOINT ["model-cache", "init", "--"]
CMD ["f5-tts_infer-gradio", "--host", "0.0.0.0", "--port", "7860"]
