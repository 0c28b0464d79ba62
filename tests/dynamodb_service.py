"""DynamoDB as moto has it, for commits by entries."""

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path

from dev_tasks import parts
from s3_service import KEY, REGION, await_port, free_port

TABLE = "delta_log"

# moto looks whether a condition holds and puts the item in two steps, with other requests between them at times.
SERVER = """
import threading
from moto.dynamodb.models.table import Table
from moto.server import main

lock, put_item = threading.Lock(), Table.put_item


def put_item_alone(*arguments, **named):
    with lock:
        return put_item(*arguments, **named)


Table.put_item = put_item_alone
main()
"""


class DynamoDb:
    """One moto server on a free loopback port, with the table `delta_log`."""

    def __init__(self, folder: Path):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "moto.log"
        self.env = {"TARN_DYNAMODB_TABLE": TABLE, "AWS_ENDPOINT_URL_DYNAMODB": self.url}

    def start(self) -> "DynamoDb":
        command = [str(parts.moto()), "-c", SERVER, "-H", "127.0.0.1", "-p", str(self.port)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        await_port(self.process, self.port, self.log)
        self.call(
            "CreateTable",
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("tablePath", "fileName")],
            KeySchema=[
                {"AttributeName": "tablePath", "KeyType": "HASH"},
                {"AttributeName": "fileName", "KeyType": "RANGE"},
            ],
        )
        return self

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def call(self, operation: str, **body) -> dict:
        request = urllib.request.Request(
            self.url,
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": f"DynamoDB_20120810.{operation}",
                "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/{REGION}/dynamodb/aws4_request",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def entries(self, table_path: str) -> list[dict]:
        """All of a table, in the order of versions, with their attributes as DynamoDB has them."""
        found = self.call(
            "Query",
            TableName=TABLE,
            KeyConditionExpression="tablePath = :t",
            ExpressionAttributeValues={":t": {"S": table_path}},
        )
        return found["Items"]

    def check_entries(self, service, table: str, *, versions: int) -> None:
        """Each version has the entry that Spark would have left, and its temporary file the bytes of the commit."""
        path = table.removeprefix("s3://")
        found = self.entries(f"s3a://{path}")
        assert [entry["fileName"] for entry in found] == [{"S": f"{version:020}.json"} for version in range(versions)]
        log = service.data / path / "_delta_log"
        for version, entry in enumerate(found):
            assert set(entry) == {"tablePath", "fileName", "tempPath", "complete", "expireTime"}
            assert entry["complete"] == {"S": "true"}
            assert abs(int(entry["expireTime"]["N"]) - time.time() - 86_400) < 600
            assert re.fullmatch(rf"\.tmp/{version:020}\.json\.[0-9a-f-]{{36}}", entry["tempPath"]["S"])
            if service.objects_are_files:
                assert (log / entry["tempPath"]["S"]).read_bytes() == (log / f"{version:020}.json").read_bytes()
