# The image of the server and the worker. compose.yaml shows how to start both.
FROM python:3.12-slim AS build
RUN python -m venv /opt/open311
WORKDIR /src
COPY .lock/server.txt .lock/
RUN /opt/open311/bin/pip install --no-cache-dir --require-hashes -r .lock/server.txt
COPY . .
RUN /opt/open311/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.12-slim
RUN useradd --system --uid 3110 --home-dir /var/lib/open311 --create-home open311
COPY --from=build /opt/open311 /opt/open311
ENV PATH=/opt/open311/bin:$PATH \
    OPEN311_HOST=0.0.0.0 \
    OPEN311_DATA_DIR=/var/lib/open311
USER open311
WORKDIR /var/lib/open311
EXPOSE 3111
CMD ["open311", "serve"]
