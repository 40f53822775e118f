"""What stands beside a bundle, read as a server reads it."""

import json
import os
import pathlib
import re

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from tests.serving import worlds
from tfadrec import serving
from tfadrec.cli import main
from tfadrec.core.bundle_folder import bundle_folder, version_numbers
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import Manifest
from tfadrec.monitoring import MeasuredWindow, prometheus_page
from tfadrec.monitoring.measure import Measure
from tfadrec.serving import deployment
from tfadrec.serving.preview.metrics import Metrics

Field = descriptor_pb2.FieldDescriptorProto
ROOT = pathlib.Path(__file__).parents[2]
FILES = {
    "README.md",
    "alerts.yaml",
    "autoscaling.yaml",
    "batching.config",
    "client_grpc.py",
    "client_rest.py",
    "dashboard.json",
    "docker-compose.yml",
    "kubernetes.yaml",
    "manifest.json",
    "models.config",
    "monitoring.config",
    "nginx.conf",
    "prometheus-adapter.yaml",
}


def write(path, version):
    """What an export writes beside a version, of which nothing is known."""
    folder = bundle_folder(path)
    deployment.check_deployment(path)
    with folder.held():
        deployment.write_deployment(folder, version, {}, {}, {})


@pytest.fixture
def model(tmp_path):
    """Two versions, of which nothing but the folders is there."""
    path = tmp_path / "Shop_ads"
    for version in (1, 2):
        (path / str(version)).mkdir(parents=True)
        write(path, version)
    return path


def models(path):
    """`models.config` in TensorFlow Serving's own proto."""
    text = (path / "models.config").read_text()
    config = text_format.Parse(
        text, model_server_config_pb2.ModelServerConfig()
    )
    (only,) = config.model_config_list.config
    return only


def server_message(name, fields):
    """A message of the server whose proto is in no package.

    Args:
      name: of the message.
      fields: name -> number, type, whether it is repeated.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{name}.proto",
        package="server",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    messages = {name: fields}
    while messages:
        title, parts = messages.popitem()
        message = file.message_type.add(name=title)
        for field, (number, kind, repeated) in parts.items():
            label = Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, dict):
                messages[field] = kind
                added.type, added.type_name = Field.TYPE_MESSAGE, field
            elif isinstance(kind, str):
                added.type, added.type_name = Field.TYPE_MESSAGE, kind
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindMessageTypeByName(f"server.{name}")
    return message_factory.GetMessageClass(found)()


def test_a_new_version_is_the_canary(model):
    config = models(model)
    assert config.name == "Shop_ads"
    assert config.base_path == "/models/Shop_ads"
    assert config.model_platform == "tensorflow"
    assert dict(config.version_labels) == {"stable": 1, "canary": 2}
    assert list(config.model_version_policy.specific.versions) == [1, 2]


def test_the_first_version_has_both_labels(tmp_path):
    (tmp_path / "7").mkdir()
    write(tmp_path, 7)
    config = models(tmp_path)
    assert dict(config.version_labels) == {"stable": 7, "canary": 7}
    assert list(config.model_version_policy.specific.versions) == [7]


def test_who_is_stable_is_the_teams_to_say(model):
    file = model / "models.config"
    label = 'key: "stable" value: 1'
    promoted = file.read_text().replace(label, label.replace("1", "2"))
    file.write_text(promoted)
    (model / "3").mkdir()
    write(model, 3)
    assert dict(models(model).version_labels) == {"stable": 2, "canary": 3}
    # A stable version that is gone cannot be loaded.
    (model / "2").rmdir()
    (model / "4").mkdir()
    write(model, 4)
    assert dict(models(model).version_labels) == {"stable": 4, "canary": 4}


def test_batching(model):
    """Fields of session_bundle_config.proto, `BatchingParameters`."""
    wrapped = ".google.protobuf.Int64Value"
    message = server_message(
        "BatchingParameters",
        {
            "max_batch_size": (1, wrapped, False),
            "batch_timeout_micros": (2, wrapped, False),
            "max_enqueued_batches": (3, wrapped, False),
            "num_batch_threads": (4, wrapped, False),
            "allowed_batch_sizes": (6, Field.TYPE_INT64, True),
            "pad_variable_length_inputs": (7, Field.TYPE_BOOL, False),
        },
    )
    found = text_format.Parse((model / "batching.config").read_text(), message)
    sizes = list(found.allowed_batch_sizes)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == found.max_batch_size.value == 256
    assert found.pad_variable_length_inputs


def test_monitoring(model):
    """Fields of monitoring_config.proto."""
    parts = {
        "enable": (1, Field.TYPE_BOOL, False),
        "path": (2, Field.TYPE_STRING, False),
    }
    message = server_message(
        "MonitoringConfig", {"prometheus_config": (1, parts, False)}
    )
    text = (model / "monitoring.config").read_text()
    found = text_format.Parse(text, message).prometheus_config
    assert found.enable
    assert found.path == "/monitoring/prometheus/metrics"


#: What `tfadrec serve` counts, and what `tfadrec monitor` writes.
WINDOW = MeasuredWindow(
    *(1, 200, None, None, (Measure("hour", "psi", 0.3, -np.inf, 0.1, 200),)),
    {"hour": {"missing": 0.0, "unknown": 0.0}},
)


def expressions(model):
    """What the rules and the dashboard ask of Prometheus."""
    (group,) = yaml.safe_load((model / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]:
        assert set(rule) >= {"alert", "expr", "labels", "annotations"}
        yield rule["expr"]
    dashboard = json.loads((model / "dashboard.json").read_text())
    assert dashboard["title"] == group["name"] == "Shop_ads"
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            yield target["expr"]


def test_rules_and_dashboard_ask_for_metrics_that_are_there(model):
    """With labels and values that they have."""
    metrics = Metrics("Shop_ads")
    metrics.add("REST", "OK", 0.001)
    page = metrics.page() + prometheus_page("Shop_ads", WINDOW)
    samples = dict(re.findall(r"^([\w:]+)\{(.*)\} \S+$", page, re.M))
    found = list(expressions(model))
    assert len(found) > 10
    for expression in found:
        names = re.findall(r"(?:tfadrec_|:tensorflow)[\w:]+", expression)
        assert names
        assert set(names) <= set(samples), expression
        for name, chosen in re.findall(r"([\w:]+)\{(.*?)\}", expression):
            assert 'model_name="Shop_ads"' in chosen
            labels = re.findall(r'(\w+)(?:=|!=)"', chosen)
            assert set(labels) <= set(re.findall(r'(\w+)="', samples[name]))
    text = (model / "alerts.yaml").read_text()
    assert "{{ $labels.signal }}" in text


def latency(expression):
    """Quantile and series, of a `histogram_quantile` of rates."""
    found = re.match(
        r"histogram_quantile\((.*?), sum by \(le.*?\) "
        r"\(rate\((:[\w:]+)\{.*\}\[\w+\]\)\)\)",
        expression,
    )
    assert found, expression
    return float(found[1]), found[2]


def test_more_servers_come_before_answers_are_slow(model):
    """One metric, from the servers to their number, and one bound."""
    scaler = yaml.safe_load((model / "autoscaling.yaml").read_text())
    assert scaler["apiVersion"] == "autoscaling/v2"
    assert scaler["kind"] == "HorizontalPodAutoscaler"
    spec = scaler["spec"]
    deploy, _ = yaml.safe_load_all((model / "kubernetes.yaml").read_text())
    assert spec["scaleTargetRef"] == {
        "apiVersion": deploy["apiVersion"],
        "kind": deploy["kind"],
        "name": deploy["metadata"]["name"],
    }
    assert spec["minReplicas"] == deploy["spec"]["replicas"]
    assert spec["maxReplicas"] > spec["minReplicas"]
    # A share of what is asked for has no meaning where nothing is.
    (container,) = deploy["spec"]["template"]["spec"]["containers"]
    asked, load = spec["metrics"]
    assert load["resource"]["name"] in container["resources"]["requests"]
    # What is scraped has to be what the server offers.
    notes = deploy["spec"]["template"]["metadata"]["annotations"]
    at = notes["prometheus.io/path"]
    assert f'path: "{at}"' in (model / "monitoring.config").read_text()

    adapter = yaml.safe_load((model / "prometheus-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    assert rule["name"]["as"] == asked["pods"]["metric"]["name"]
    series = rule["seriesQuery"].partition("{")[0]
    assert re.match(rule["name"]["matches"], series)
    labels = rule["resources"]["overrides"]
    assert set(re.findall(r'(\w+)!=""', rule["seriesQuery"])) == set(labels)
    query = rule["metricsQuery"]
    for name, value in (
        ("Series", series),
        ("LabelMatchers", 'namespace="a",pod=~"b|c"'),
        ("GroupBy", "pod"),
    ):
        assert f"<<.{name}>>" in query
        query = query.replace(f"<<.{name}>>", value)
    assert "<<" not in query
    (slow,) = (
        rule["expr"]
        for rule in yaml.safe_load((model / "alerts.yaml").read_text())[
            "groups"
        ][0]["rules"]
        if rule["alert"] == "AnswersAreSlow"
    )
    expression, _, bound = slow.rpartition(" > ")
    assert latency(query) == latency(expression)
    assert f"p{latency(query)[0] * 100:.0f}_" in rule["name"]["as"]
    target = asked["pods"]["target"]
    assert target["type"] == "AverageValue"
    assert int(target["averageValue"]) * 2 == int(bound)

    up, down = (spec["behavior"][way] for way in ("scaleUp", "scaleDown"))
    window = "stabilizationWindowSeconds"
    assert down[window] > up[window]
    assert down["policies"] == [
        {"type": "Pods", "value": 1, "periodSeconds": 300}
    ]


def test_a_proxy_stands_before_the_ports_of_the_server(model):
    """What nginx makes of its file is in `test_proxy`."""
    compose = yaml.safe_load((model / "docker-compose.yml").read_text())
    services = compose["services"]
    proxy = services["proxy"]
    assert proxy["network_mode"] == "host"
    assert proxy["profiles"] == ["proxy"]
    assert "./nginx.conf:/etc/nginx/nginx.conf:ro" in proxy["volumes"]
    text = (model / "nginx.conf").read_text()
    for address in re.findall(r"^    server (\S+);", text, re.M):
        port = address.rpartition(":")[2]
        assert f"{address}:{port}" in services["cpu"]["ports"]
    assert "location /v1/models/Shop_ads {" in text
    for path in re.findall(r"ssl_certificate\w* (\S+);", text):
        assert path.startswith("tls/")


def test_docker_and_kubernetes_start_the_same_server(model):
    compose = yaml.safe_load((model / "docker-compose.yml").read_text())
    services = compose["services"]
    assert set(services) == {"cpu", "gpu", "proxy"}
    assert services["gpu"]["image"] == services["cpu"]["image"] + "-gpu"
    deploy, service = yaml.safe_load_all(
        (model / "kubernetes.yaml").read_text()
    )
    assert deploy["metadata"]["name"] == service["spec"]["selector"]["app"]
    # A name in Kubernetes has small letters and dashes.
    assert service["metadata"]["name"] == "shop-ads"
    (container,) = deploy["spec"]["template"]["spec"]["containers"]
    for flags in (services["cpu"]["command"], container["args"]):
        named = dict(flag.removeprefix("--").split("=") for flag in flags)
        for flag, file in (
            ("model_config_file", "models.config"),
            ("monitoring_config_file", "monitoring.config"),
        ):
            assert named.pop(flag) == f"/models/Shop_ads/{file}"
            assert (model / file).is_file()
        assert int(named.pop("model_config_file_poll_wait_seconds")) == 60
        # Without the second one a label that is in use, as the canary's is at
        # every export but the first, is refused until its new version is
        # loaded; and versions are loaded after labels are looked at
        # (`ServerCore::ReloadConfig`), so it never would be.
        assert (
            named.pop("allow_version_labels_for_unavailable_models") == "true"
        )
        assert (
            named.pop("force_allow_any_version_labels_for_unavailable_models")
            == "true"
        )
        assert not named  # requests are not merged, for one
    (volume,) = services["cpu"]["volumes"]
    (mount,) = container["volumeMounts"]
    assert volume == f".:{mount['mountPath']}:ro" == ".:/models/Shop_ads:ro"
    for port in services["cpu"]["ports"]:
        assert port.startswith("127.0.0.1:")


def test_merging_is_turned_on_by_flags_that_the_file_names(model):
    text = (model / "batching.config").read_text()
    assert re.findall(r"^#   --(\w+)=(\S+)$", text, re.M) == [
        ("enable_batching", "true"),
        ("batching_parameters_file", "/models/Shop_ads/batching.config"),
    ]


def test_a_server_is_of_one_release(model):
    """That of the TensorFlow that bundles are written with."""
    compose = yaml.safe_load((model / "docker-compose.yml").read_text())
    deploy, _ = yaml.safe_load_all((model / "kubernetes.yaml").read_text())
    (container,) = deploy["spec"]["template"]["spec"]["containers"]
    image, _, tag = container["image"].partition(":")
    assert compose["services"]["cpu"]["image"] == container["image"]
    assert image == "tensorflow/serving"
    assert re.fullmatch(r"\d+\.\d+\.\d+", tag)
    assert tag.split(".")[:2] == tf.__version__.split(".")[:2]


def test_a_server_is_replaced_without_a_gap(model):
    """It is asked nothing before it has loaded, and ends after it is told."""
    deploy, _ = yaml.safe_load_all((model / "kubernetes.yaml").read_text())
    assert deploy["spec"]["strategy"]["rollingUpdate"] == {
        "maxUnavailable": 0,
        "maxSurge": 1,
    }
    pod = deploy["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    start, ready, live = (
        container[f"{name}Probe"]
        for name in ("startup", "readiness", "liveness")
    )
    at = "/v1/models/Shop_ads"
    for probe, path in (
        (start, f"{at}/labels/stable"),
        (ready, f"{at}/labels/stable"),
        (live, at),
    ):
        assert probe["httpGet"] == {"path": path, "port": "rest"}
    assert start["periodSeconds"] * start["failureThreshold"] == 600
    assert live["periodSeconds"] * live["failureThreshold"] == 60
    command, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert pod["terminationGracePeriodSeconds"] >= int(seconds) + 30


@pytest.mark.parametrize(
    ("megabytes", "request_", "limit"),
    # 1 GiB and three times the size, in steps of 256 MiB, and twice that:
    # 3 * 500e6 bytes are 1,430.5 MiB.
    [(0, "1024Mi", "2048Mi"), (500, "2560Mi", "5120Mi")],
)
def test_memory_goes_by_the_size_of_a_version(
    tmp_path, megabytes, request_, limit
):
    (tmp_path / "1/variables").mkdir(parents=True)
    with (tmp_path / "1/variables/data").open("wb") as file:
        file.truncate(megabytes * 10**6)
    write(tmp_path, 1)
    text = (tmp_path / "kubernetes.yaml").read_text()
    deploy, _ = yaml.safe_load_all(text)
    (container,) = deploy["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": request_},
        "limits": {"memory": limit},
    }
    assert f"# Version 1 has {megabytes} MB." in text


def rules(model):
    (group,) = yaml.safe_load((model / "alerts.yaml").read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def test_one_bad_client_pages_nobody(model):
    """The share of errors is of what is not the client's fault."""
    count = ":tensorflow:serving:request_count"
    found = rules(model)
    assert found["RequestsFail"]["labels"] == {"severity": "critical"}
    pattern = re.search(
        rf'{count}{{model_name="Shop_ads",status!~"(.*?)"}}',
        found["RequestsFail"]["expr"],
    )[1]
    counted = {
        status: not re.fullmatch(pattern, status)
        for status in ("OK", "INVALID_ARGUMENT", "INTERNAL", "NOT_FOUND")
    }
    assert counted == {
        "OK": False,
        "INVALID_ARGUMENT": False,
        "INTERNAL": True,
        "NOT_FOUND": True,
    }
    refused = found["RequestsAreRefused"]
    assert refused["labels"] == {"severity": "warning"}
    assert 'status="INVALID_ARGUMENT"' in refused["expr"]


def test_nobody_asks_where_nothing_is_counted(model):
    """A sum of no series is none, and compared with 0 it is none."""
    expression = rules(model)["NobodyAsks"]["expr"]
    assert re.fullmatch(
        r"\(sum\(rate\(.*\)\) or vector\(0\)\) == 0", expression
    )


def test_samples_ask_for_the_stable_version():
    """Those of a bundle, its README, and the docs."""
    path = worlds.bundle("numbers")
    texts = [
        *(path / name for name in ("README.md", "client_rest.py")),
        *(ROOT / name for name in ("README.md", "docs/serving.md")),
    ]
    for file in texts:
        curls = re.findall(r"\S*/v1/models/\S+:predict", file.read_text())
        assert curls, file
        for each in curls:
            labelled = re.search(r"/labels/(stable|\{LABEL\}):predict", each)
            assert labelled or file.name == "serving.md", each
    curls = re.findall(r"curl -d \S+ +\\?\s*(\S+)", texts[-1].read_text())
    assert curls
    assert all(each.endswith("/labels/stable:predict") for each in curls)
    text = (path / "client_grpc.py").read_text()
    assert text.count("model_spec.version_label = LABEL") == 2
    assert '"numbers", "stable"' in text


def test_what_a_team_changed_is_kept(model):
    others = FILES - {"models.config", "manifest.json"}
    for name in sorted(others):
        (model / name).write_text("changed")
    (model / "notes").mkdir()
    (model / "notes" / "mine.txt").write_text("changed")
    write(model, 2)
    assert {n for n in others if (model / n).read_text() == "changed"} == others
    assert (model / "notes" / "mine.txt").exists()


def test_what_an_export_wrote_is_written_anew(model):
    before = (model / "README.md").read_text()
    (model / "3").mkdir()
    write(model, 3)
    assert (model / "README.md").read_text() != before or "3" not in before
    manifest = Manifest.in_folder(model)
    assert manifest is not None
    assert set(manifest.files) == FILES - {"manifest.json"}


def test_requests_are_those_of_the_newest_version(tmp_path):
    """But for what a team has changed."""
    folder = bundle_folder(tmp_path / "shop")
    sample = {"user_id": np.array(["u"], object)}
    there = []
    for version, names in ((1, "abc"), (2, "bd")):
        with folder.held():
            samples = dict.fromkeys(names, sample)
            deployment.write_deployment(folder, version, {}, {}, samples)
        (tmp_path / "shop/requests/c.json").write_text("mine")
        there.append({p.stem for p in (tmp_path / "shop/requests").iterdir()})
    assert there == [{"a", "b", "c"}, {"b", "c", "d"}]
    assert (tmp_path / "shop/requests/c.json").read_text() == "mine"


def test_labels_may_be_moved_and_no_more(model):
    """More than a number would be lost."""
    file = model / "models.config"
    file.write_text(
        file.read_text().replace('"stable" value: 1', '"stable" value: 2')
    )
    deployment.check_deployment(model)
    text = file.read_text()
    file.write_text(
        text.replace("    version_labels", "    # ours\n    version_labels", 1)
    )
    with pytest.raises(InputError, match="in which more was changed") as error:
        deployment.check_deployment(model)
    assert "\n" not in str(error.value)


def test_a_bundle_of_version_1_without_a_manifest(model):
    (model / "manifest.json").unlink()
    (model / "3").mkdir()
    (model / "README.md").write_text("of old")
    write(model, 3)
    assert (model / "README.md").read_text() != "of old"


def test_an_export_writes_all_of_it():
    path = worlds.bundle("numbers")
    assert {p.name for p in path.iterdir() if p.is_file()} == FILES
    requests = {p.stem for p in (path / "requests").iterdir()}
    assert dict(models(path).version_labels) == {"stable": 1, "canary": 1}
    readme = (path / "README.md").read_text()
    loaded = worlds.loaded("numbers")
    sections = dict(
        re.findall(r"^### `(\w+)`\n(.*?)(?=^###|\Z)", readme, re.S | re.M)
    )
    assert set(sections) == set(loaded.signatures) == requests
    for name, section in sections.items():
        assert f"-d @requests/{name}.json" in section
        rows = re.findall(r"\| (\w+) \| `(\w+)` \| (\w+) \| \[(.*?)\]", section)
        signature = loaded.signatures[name]
        specs = {
            ("input", key): spec
            for key, spec in signature.structured_input_signature[1].items()
        } | {
            ("output", key): spec
            for key, spec in signature.structured_outputs.items()
        }
        assert len(rows) == len(specs)
        for side, key, dtype, shape in rows:
            spec = specs[side, key]
            assert tf.as_dtype(dtype) == spec.dtype
            assert len(shape.split(", ")) == spec.shape.rank


@pytest.mark.parametrize("name", ["a b", "-a", 'a"b'])
def test_names_that_no_server_takes(tmp_path, name):
    world = worlds.words()
    with pytest.raises(InputError, match=f"Received: {name!r}"):
        serving.export_bundle(world.ranker, world.dataset, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_what_counts_as_a_version(tmp_path):
    for name in ("1", "10", "2", "²", "v4", ".export-5", "9" * 23):
        (tmp_path / name).mkdir()
    (tmp_path / "3").write_text("a file")
    most = 2**63 - 1
    for number in (most, most + 1):
        (tmp_path / str(number)).mkdir()
    assert version_numbers(tmp_path) == [1, 2, 10, most]
    assert version_numbers(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    "name",
    [
        *("true", "no", "Null", "y", "1.5", "1e3", "0x1F", "0o17", "1_000"),
        *("2020-01-01", "12", "12.", "0.inf", "x" * 63, "x" * 64, "A_" * 100),
        *("Shop.ads", "9lives--", "a" + "-" * 62 + "b"),
    ],
)
def test_names_that_yaml_takes_for_something_else(tmp_path, name):
    """YAML 1.1 reads what was meant, and Kubernetes takes it (RFC 1035)."""
    path = tmp_path / name
    (path / "1").mkdir(parents=True)
    write(path, 1)
    deploy, service = yaml.safe_load_all((path / "kubernetes.yaml").read_text())
    pod = deploy["spec"]["template"]
    (claim,) = pod["spec"]["volumes"]
    label = deploy["metadata"]["name"]
    scaler = yaml.safe_load((path / "autoscaling.yaml").read_text())
    assert {
        label,
        scaler["metadata"]["name"],
        scaler["spec"]["scaleTargetRef"]["name"],
        service["metadata"]["name"],
        service["spec"]["selector"]["app"],
        deploy["spec"]["selector"]["matchLabels"]["app"],
        pod["metadata"]["labels"]["app"],
        claim["persistentVolumeClaim"]["claimName"],
    } == {label}
    assert re.fullmatch("[a-z]([a-z0-9-]{0,61}[a-z0-9])?", label)
    (container,) = pod["spec"]["containers"]
    assert container["volumeMounts"][0]["mountPath"] == f"/models/{name}"
    at = container["readinessProbe"]["httpGet"]["path"]
    assert at == f"/v1/models/{name}/labels/stable"
    compose = yaml.safe_load((path / "docker-compose.yml").read_text())
    server = compose["services"]["cpu"]
    assert server["volumes"] == [f".:/models/{name}:ro"]
    flags = [*server["command"], *container["args"]]
    assert {type(flag) for flag in flags} == {str}
    assert f"--model_config_file=/models/{name}/models.config" in flags
    assert models(path).name == name


def test_long_names_stay_apart():
    first, second = "shop" * 20 + "a", "shop" * 20 + "b"
    names = {deployment.kubernetes_name(each) for each in (first, second)}
    assert len(names) == 2
    assert deployment.kubernetes_name("Shop_ads") == "shop-ads"
    assert deployment.kubernetes_name("1.5") == "model-1-5"


@pytest.mark.parametrize(
    "text",
    [
        b'version_labels { key: "a" value: ' + b"9" * 5000 + b" }",
        b'version_labels { key: "a" value: 9223372036854775808 }',
        'version_labels { key: "a" value: ²٣ }'.encode(),
        b"\xff\0version_labels",
        b"version_labels " * 200_000,
        b"version_labels" + b" " * 3_000_000,
        b"",
    ],
    ids=lambda text: text[:20],
)
def test_labels_of_any_file(tmp_path, text):
    (tmp_path / "models.config").write_bytes(text)
    assert deployment.read_labels(tmp_path) == {}


def test_a_label_beside_junk(tmp_path):
    (tmp_path / "models.config").write_bytes(
        b'\xff{"version_labels { key: "a" value: ' + b"9" * 5000 + b"}"
        b'version_labels { key: "b"\n value:\t9223372036854775807 }'
    )
    assert deployment.read_labels(tmp_path) == {"b": 2**63 - 1}


def test_requests_are_watched_with_what_the_bundle_tells(tmp_path):
    """An alarm, the pages, and the exit codes."""
    path = worlds.bundle("numbers")
    log, page = tmp_path / "log.jsonl", tmp_path / "numbers.prom"
    request = serving.replay(worlds.numbers().dataset, np.arange(400))
    inputs = {name: values.tolist() for name, values in request.items()}
    half = {name: values[:150] for name, values in inputs.items()}
    calls = (
        {"inputs": inputs, "id": "a"},
        {"inputs": half | {"devise": [""] * 150}},
    )
    log.write_text("\n".join(map(json.dumps, calls)))
    again = ["monitor", path, "--requests", log, "--window", 200, "--json"]
    out = tmp_path / "page.html"
    more = ["--prometheus", page, "--out", out]

    def call():
        return CliRunner().invoke(main, list(map(str, again + more)))

    result = call()
    assert result.exit_code == 0, result.output
    assert "The last 150 users were not measured" in result.stdout
    assert "No input is called 'devise'. Inputs are bids, " in result.stdout
    assert json.loads(result.stdout.splitlines()[-1])["left"] == 150
    log.write_text(json.dumps({"inputs": inputs | {"device": ["tv"] * 400}}))
    result = call()
    assert result.exit_code == 3, result.output
    assert "ALARM device: blank 1.0000, without drift at most" in result.stdout
    (window,) = json.loads(result.stdout.splitlines()[-1])["windows"]
    assert window["shares"]["device"] == {"missing": 0.0, "unknown": 1.0}
    told = 'model_name="numbers",signal="device"'
    assert f"unknown_share{{{told}}} 1.0\n" in page.read_text()
    assert '#c22"><title>device: blank 1.0000' in out.read_text()
    assert "<li>device: blank 1.0000, without" in out.read_text()
    log.write_text("")
    assert call().exit_code == 4
    page.write_text("mine")
    result = call()
    assert result.exit_code == 2
    assert "take the place of a file of metrics alone" in result.stderr
    page.unlink()
    more[1] = tmp_path / "m.txt"
    assert "files that end in .prom alone" in call().stderr
    more[1] = page
    os.mkfifo(page)  # or a device, which root would replace by a file
    assert call().exit_code == 2
    assert page.is_fifo()


def test_numbers_of_a_request_are_written_as_people_do(tmp_path):
    (tmp_path / "1").mkdir()
    folder = bundle_folder(tmp_path)
    sample = {
        "examples": np.array([b"\xff"], object),
        "image": np.array([[0.1, -2.5e-7, np.float32(1) / 3]], np.float32),
        "price": np.array([29.9999994, 0.1 + 0.2]),
        "user_id": np.array(["u"], object),
    }
    with folder.held():
        deployment.write_deployment(folder, 1, {}, {}, {"a": sample})
    body = json.loads((tmp_path / "requests/a.json").read_text())
    assert body["signature_name"] == "a"
    assert body["inputs"] == {
        "examples": [{"b64": "/w=="}],
        "image": [[0.1, -2.5e-7, 0.33333334]],
        # What is a double has been rounded where it was made.
        "price": [29.9999994, 0.1 + 0.2],
        "user_id": ["u"],
    }
