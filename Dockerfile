# The endpoint and its page; the embedded model is inside. docs/en/how-to/serve.md says how it is run.
#   docker build -t sam-tune .                       answers on the CPU
#   docker build -t sam-tune --build-arg TORCH=cu126 .   on an NVIDIA GPU
FROM python:3.12-slim-bookworm AS build
ARG TORCH=cpu
WORKDIR /src
COPY pyproject.toml README.md LICENSE napari.yaml ./
COPY resources ./resources
COPY napari_sam_tune ./napari_sam_tune
RUN python -m venv /opt/sam-tune \
    && /opt/sam-tune/bin/pip install --no-cache-dir "torch>=2.4" "torchvision>=0.19" \
        --index-url "https://download.pytorch.org/whl/${TORCH}" \
    && /opt/sam-tune/bin/pip install --no-cache-dir ".[serve]"

FROM python:3.12-slim-bookworm
COPY --from=build /opt/sam-tune /opt/sam-tune
RUN useradd --uid 10001 --create-home sam && install -d -o sam /data
ENV PATH=/opt/sam-tune/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001
VOLUME /data
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
# the token comes from a file, so that no log ever holds it
CMD ["napari-sam-tune", "serve", "--host", "0.0.0.0", "--port", "8765", "--folder", "/data", "--token-file", "/run/secrets/sam_tune_token"]
