"""A real S3 service for tests to talk to, and to take away."""

import hashlib
import hmac
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

from dev_tasks import parts

KEY, SECRET, REGION = "AKTARNTEST", "tarn-test-secret", "us-east-1"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A new one of 127.0.0.1 that nobody trusts, and its key."""
    found = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", found[1], "-out", found[0]],
        check=True, capture_output=True,
    )  # fmt: skip
    return found


def await_port(process: subprocess.Popen, port: int, log: Path) -> None:
    """Waits until a service answers there."""
    pause = threading.Event()
    for _ in range(1500):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            pause.wait(0.02)
    raise AssertionError("the service did not start:\n" + log.read_text())


class Service:
    """One S3 service on a free loopback port, over a fresh folder, with the bucket `lake`."""

    def __init__(self, name: str, folder: Path, certificate: tuple[Path, Path] | None = None):
        self.port = free_port()
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        data = self.data = folder / "data"
        # So that a test can look at what the service holds.
        self.objects_are_files = name == "versitygw"
        # A folder in its root is a bucket to versitygw, and to MinIO too.
        (data / "lake").mkdir(parents=True)
        address = f"127.0.0.1:{self.port}"
        if name == "versitygw":
            tls = ["--cert", certificate[0], "--key", certificate[1]] if certificate else []
            command = [
                parts.versitygw(), "-p", address, "--quiet", "--access", KEY, "--secret", SECRET, *tls, "posix", data
            ]  # fmt: skip
        else:
            command = [parts.minio(), "server", "--address", address, "--console-address", "127.0.0.1:0", data]
        self.command = [str(part) for part in command]
        self.command_env = {
            **os.environ, "MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": SECRET, "HOME": str(folder)
        }  # fmt: skip
        self.log = folder / "log"
        self.env = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        self.options = {**self.env, "AWS_ALLOW_HTTP": "true", "conditional_put": "etag"}

    def start(self) -> "Service":
        """Also once more after stop, over the same folder."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=self.command_env)
        await_port(self.process, self.port, self.log)
        return self

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def show_objects_to_everybody(self) -> None:
        """Lets those without a key read what is in the bucket; they may not list it."""
        grant = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/*"}
        body = json.dumps({"Version": "2012-10-17", "Statement": [grant]}).encode()
        pause = threading.Event()
        # MinIO answers 503 for a moment after its start.
        while (status := self._send("PUT", "/lake", "policy=", body)) == 503:
            pause.wait(0.05)
        assert status < 300, status

    def _send(self, method: str, path: str, query: str, body: bytes) -> int:
        """The status of a request that is signed as AWS has it (Signature Version 4)."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        content = hashlib.sha256(body).hexdigest()
        headers = {"host": f"127.0.0.1:{self.port}", "x-amz-content-sha256": content, "x-amz-date": now}
        names = ";".join(headers)
        canonical = "\n".join(
            [method, path, query, *(f"{name}:{value}" for name, value in headers.items()), "", names, content]
        )
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{SECRET}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
        )
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, f"{path}?{query}", body, headers)
        status = connection.getresponse().status
        connection.close()
        return status
