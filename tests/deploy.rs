//! What cannot be run here is at least kept readable and true: docker-compose.yml, deploy/, and the metric names of the
//! dashboard.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use clap::Parser;
use tideover::cli::Arguments;
use yaml_rust2::{Yaml, YamlLoader};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(value: &Yaml) -> &str {
    value.as_str().unwrap_or_default()
}

fn strings(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::Array(items) => items.iter().map(|item| text(item).to_owned()).collect(),
        Yaml::Hash(items) => items.keys().map(|key| text(key).to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// Every word of the form `tideover_…` in a text.
fn metric_names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("tideover_") && word.len() > "tideover_".len())
        .map(str::to_owned)
        .collect()
}

#[test]
fn compose_has_all_parts_and_they_fit_together() {
    let documents = yaml("docker-compose.yml");
    let services = &documents[0]["services"];
    let names = strings(services);
    for wanted in ["primary", "replica1", "replica2", "tideover", "load", "prometheus", "grafana"] {
        assert!(names.iter().any(|name| name == wanted), "no service {wanted} in {names:?}");
    }
    let volumes = strings(&documents[0]["volumes"]);
    for (name, service) in services.as_hash().expect("services") {
        let name = text(name);
        // `<<: *mariadb` is not resolved by this parser: those services have their image from there.
        let merged = &service["<<"]["image"];
        let has_image =
            !service["image"].is_badvalue() || !service["build"].is_badvalue() || !merged.is_badvalue();
        assert!(has_image, "{name}: no image");
        for needed in strings(&service["depends_on"]) {
            assert!(names.contains(&needed), "{name} depends on {needed}, which is not there");
        }
        for volume in strings(&service["volumes"]) {
            let source = volume.split(':').next().unwrap_or_default();
            match source.strip_prefix("./") {
                Some(path) => assert!(root().join(path).exists(), "{name} mounts {path}, which is not there"),
                None => assert!(volumes.iter().any(|v| v == source), "{name}: no volume {source}"),
            }
        }
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} publishes {port} beyond this machine");
        }
    }
    assert_eq!(text(&services["tideover"]["build"]), ".");
    assert!(root().join("Dockerfile").exists());
}

#[test]
fn compose_servers_are_the_ones_that_tideover_is_told() {
    let config: toml::Table = read("deploy/compose/tideover.toml").parse().expect("TOML");
    let servers = config["cluster"]["servers"].as_array().expect("servers");
    let compose = &yaml("docker-compose.yml")[0];
    let names = strings(&compose["services"]);
    for server in servers {
        let host = server.as_str().and_then(|server| server.split(':').next()).expect("host:port");
        assert!(names.iter().any(|name| name == host), "{host} is no service");
    }
    let ids: BTreeSet<_> = ["primary", "replica1", "replica2"]
        .iter()
        .flat_map(|name| strings(&compose["services"][*name]["command"]))
        .filter(|option| option.starts_with("--server-id="))
        .collect();
    assert_eq!(ids.len(), 3, "server ids must differ: {ids:?}");
    let prometheus = &yaml("deploy/prometheus/prometheus.yml")[0];
    let target = &prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0];
    assert_eq!(text(target), "tideover:9307");
}

/// The proxy itself must like what we tell others to give it.
#[test]
fn every_configuration_is_accepted() {
    let compose = tideover_config::parse(&read("deploy/compose/tideover.toml"), "compose").expect("accepted");
    let token = compose.admin.token.expect("a token, since it listens on every address");
    let environment = &yaml("docker-compose.yml")[0]["services"]["tideover"]["environment"];
    assert_eq!(text(&environment["TIDEOVER_ADMIN_TOKEN"]), token.expose());

    for path in MANIFESTS {
        config_of(path, &yaml(path));
    }
}

/// The program must understand what it is told.
fn understood(place: &str, words: &[impl AsRef<str>]) {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let parsed = Arguments::try_parse_from(&words);
    assert!(
        parsed.is_ok(),
        "{place}: {words:?}: {}",
        parsed.err().map(|e| e.to_string()).unwrap_or_default()
    );
}

/// A manifest's Deployment, and of it the container that runs the proxy.
fn deployment(path: &str, documents: &[Yaml]) -> (Yaml, Yaml) {
    let of_kind = |document: &&Yaml| text(&document["kind"]) == "Deployment";
    let deployment = documents.iter().find(of_kind).unwrap_or_else(|| panic!("{path}: no Deployment"));
    let pod = &deployment["spec"]["template"]["spec"];
    let container = [&pod["containers"], &pod["initContainers"]]
        .into_iter()
        .flat_map(|list| list.as_vec().cloned().unwrap_or_default())
        .find(|container| text(&container["name"]) == "tideover")
        .unwrap_or_else(|| panic!("{path}: no container tideover"));
    (deployment.clone(), container)
}

/// The configuration in a manifest's ConfigMap, with every secret at hand.
fn config_of(path: &str, documents: &[Yaml]) -> tideover_config::Config {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let folder = format!("secrets-{}-{}", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed));
    let secrets = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(&secrets).expect("a folder");
    for name in strings(&yaml("deploy/kubernetes/shared-tier.yaml")[0]["stringData"]) {
        fs::write(secrets.join(name), "secret").expect("a file");
    }
    let map = documents.iter().find(|document| text(&document["kind"]) == "ConfigMap").expect("ConfigMap");
    let config =
        text(&map["data"]["tideover.toml"]).replace("/etc/tideover/secret", secrets.to_str().expect("UTF-8"));
    let accepted = tideover_config::parse(&config, path);
    fs::remove_dir_all(&secrets).expect("removed");
    accepted.unwrap_or_else(|problems| panic!("{path}: {problems}"))
}

const MANIFESTS: [&str; 2] = ["deploy/kubernetes/shared-tier.yaml", "deploy/kubernetes/sidecar.yaml"];

#[test]
fn kubernetes_manifests_probe_and_drain() {
    for path in MANIFESTS {
        let documents = yaml(path);
        for document in &documents {
            for key in ["apiVersion", "kind"] {
                assert!(document[key].as_str().is_some(), "{path}: a document without {key}");
            }
            assert!(document["metadata"]["name"].as_str().is_some(), "{path}: a document without a name");
        }
        let (deployment, container) = deployment(path, &documents);
        for (probe, wanted) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            let get = &container[probe]["httpGet"];
            assert_eq!((text(&get["path"]), text(&get["port"])), (wanted, "admin"), "{path}: {probe}");
        }
        let hook = strings(&container["lifecycle"]["preStop"]["exec"]["command"]);
        assert_eq!(hook, ["tideover", "drain"], "{path}");
        understood(path, &hook);
        understood(path, &[vec!["tideover".to_owned()], strings(&container["args"])].concat());
        let config = config_of(path, &documents);
        let grace = &deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
        let grace = grace.as_i64().and_then(|s| u64::try_from(s).ok()).unwrap_or_default();
        let needed = config.shutdown.delay + config.shutdown.drain_timeout;
        assert!(grace >= needed.as_secs() + 30, "{path}: {grace} s are not enough to drain");
    }
}

/// Ports in manifests are those of the configurations beside them.
#[test]
fn ports_agree() {
    let clients = |config: &tideover_config::Config| match &config.listen[0] {
        tideover_config::ListenAddress::Tcp(address) => i64::from(address.port()),
        tideover_config::ListenAddress::Unix(path) => panic!("{}", path.display()),
    };
    let admin = |config: &tideover_config::Config| i64::from(config.admin.listen.expect("an API").port());
    for path in MANIFESTS {
        let documents = yaml(path);
        let (deployment, container) = deployment(path, &documents);
        let config = config_of(path, &documents);
        let ports = container["ports"].as_vec().cloned().unwrap_or_default();
        let port = |name: &str| {
            let found = ports.iter().find(|port| text(&port["name"]) == name);
            found.and_then(|port| port["containerPort"].as_i64())
        };
        assert_eq!(port("admin"), Some(admin(&config)), "{path}");
        assert!(port("mysql").is_none_or(|port| port == clients(&config)), "{path}");
        let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
        let scraped = &annotations["prometheus.io/port"];
        assert!(scraped.is_badvalue() || text(scraped) == admin(&config).to_string(), "{path}");
        for service in documents.iter().filter(|document| text(&document["kind"]) == "Service") {
            let target = text(&service["spec"]["ports"][0]["targetPort"]);
            assert!(port(target).is_some(), "{path}: the service leads to {target}");
        }
    }
    let compose = tideover_config::parse(&read("deploy/compose/tideover.toml"), "compose").expect("accepted");
    let (clients, admin) = (clients(&compose), admin(&compose));
    let services = &yaml("docker-compose.yml")[0]["services"];
    let published = strings(&services["tideover"]["ports"]);
    assert_eq!(published, [clients, admin].map(|port| format!("127.0.0.1:{port}:{port}")));
    assert!(read("Dockerfile").contains(&format!("EXPOSE {clients} {admin}\n")));
    assert!(read("docker-compose.yml").contains(&format!("--host=tideover --port={clients} ")));
}

/// Names in alerts and on the dashboard are those of the metrics.
fn exist(place: &str, used: &BTreeSet<String>, defined: &BTreeSet<String>) {
    for name in used {
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let known = defined.contains(name) || histogram.is_some_and(|base| defined.contains(base));
        assert!(known, "{place} uses {name}, which no code defines");
    }
}

#[test]
fn the_dashboard_uses_metrics_that_exist() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana/tideover.json")).expect("JSON");
    let defined = metric_names(&read("src/metrics/mod.rs"));
    assert!(defined.contains("tideover_gate_state"), "{defined:?}");
    let mut used = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(panel["title"].is_string() && panel["gridPos"]["w"].is_number(), "{panel}");
        for target in panel["targets"].as_array().expect("targets") {
            used.extend(metric_names(target["expr"].as_str().expect("expr")));
        }
    }
    exist("the dashboard", &used, &defined);
    // And the other way: a metric that nobody looks at is a question to whoever adds it.
    for name in &defined {
        assert!(used.iter().any(|used| used.starts_with(name)), "the dashboard does not show {name}");
    }
}

#[test]
fn alerts_use_metrics_and_labels_that_exist() {
    let prometheus = &yaml("deploy/prometheus/prometheus.yml")[0];
    assert_eq!(strings(&prometheus["rule_files"]), ["rules.yml"]);
    let job = text(&prometheus["scrape_configs"][0]["job_name"]).to_owned();
    let source = read("src/metrics/mod.rs");
    let defined = metric_names(&source);
    let groups = yaml("deploy/prometheus/rules.yml");
    let rules = groups[0]["groups"][0]["rules"].as_vec().expect("rules");
    for rule in rules {
        let (name, expression) = (text(&rule["alert"]), text(&rule["expr"]));
        assert!(!name.is_empty() && !text(&rule["annotations"]["summary"]).is_empty(), "{rule:?}");
        exist(name, &metric_names(expression), &defined);
        // Labels and their values, in braces; values are announced, so that a rule can count from zero.
        for selector in expression.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            let (label, values) = selector.split_once('=').expect("label=\"value\"");
            assert!(label == "job" || source.contains(&format!("\"{label}\"")), "{name}: {label}");
            for value in values.trim_matches(['~', '"']).split('|') {
                let known = value == job || source.contains(&format!("\"{value}\""));
                assert!(known, "{name}: no {label} is {value}");
            }
        }
    }
    let mounted = strings(&yaml("docker-compose.yml")[0]["services"]["prometheus"]["volumes"]);
    assert!(
        mounted.iter().any(|volume| volume.contains("rules.yml:/etc/prometheus/rules.yml")),
        "{mounted:?}"
    );
}

#[test]
fn grafana_finds_what_it_is_given() {
    let source = &yaml("deploy/grafana/provisioning/datasources/prometheus.yml")[0];
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana/tideover.json")).expect("JSON");
    let wanted = dashboard["panels"][0]["datasource"]["uid"].as_str().expect("uid");
    assert_eq!(text(&source["datasources"][0]["uid"]), wanted);
    let provider = &yaml("deploy/grafana/provisioning/dashboards/tideover.yml")[0];
    let folder = text(&provider["providers"][0]["options"]["path"]).to_owned();
    let compose = &yaml("docker-compose.yml")[0];
    let mounted = strings(&compose["services"]["grafana"]["volumes"]);
    assert!(mounted.iter().any(|volume| volume.contains(&folder)), "{mounted:?} has no {folder}");
}

#[test]
fn the_unit_starts_what_there_is() {
    let unit = read("deploy/systemd/tideover.service");
    for (section, key) in [("[Unit]", "After="), ("[Service]", "ExecStart="), ("[Install]", "WantedBy=")] {
        assert!(unit.contains(section) && unit.contains(key), "{section} {key}");
    }
    assert!(unit.contains("ExecStart=/usr/local/bin/tideover run -c /etc/tideover/tideover.toml"));
    for (key, command) in unit.lines().filter_map(|line| line.split_once('=')) {
        if key.starts_with("ExecStart") {
            understood(key, &command.split(' ').collect::<Vec<_>>());
        }
    }
    let patience = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")?.parse::<u64>().ok());
    let least = "listen = [\"127.0.0.1:1\"]\ncluster.servers = [\"a:1\"]\nmonitor.user = \"m\"";
    let shutdown = tideover_config::parse(least, "least").expect("accepted").shutdown;
    assert!(patience > Some((shutdown.delay + shutdown.drain_timeout).as_secs()), "{patience:?}");
}

/// What the image and the comments of the compose file say to the program.
#[test]
fn the_image_says_what_the_program_understands() {
    for line in read("Dockerfile").lines().filter(|line| line.contains("CMD [")) {
        let list = line.split_once("CMD ").map(|(_, list)| list).unwrap_or_default();
        let mut words: Vec<String> = serde_json::from_str(list).expect("a list of words");
        if words.first().is_some_and(|first| first != "tideover") {
            words.insert(0, "tideover".to_owned());
        }
        understood(line, &words);
    }
    let compose = read("docker-compose.yml");
    let command = compose.lines().find_map(|line| line.split_once("exec tideover ")).expect("an example").1;
    understood("docker-compose.yml", &command.split(' ').collect::<Vec<_>>());
}

#[test]
fn every_script_is_executable_and_says_what_it_is_for() {
    use std::os::unix::fs::PermissionsExt;
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join("scripts")).expect("scripts").flatten().map(|entry| entry.path()).collect();
    files.push(root().join(".ci/run"));
    for file in files {
        let script = fs::read_to_string(&file).expect("readable");
        let mut lines = script.lines();
        assert_eq!(lines.next(), Some("#!/usr/bin/env bash"), "{}", file.display());
        assert!(lines.next().is_some_and(|line| line.starts_with("# ")), "{}", file.display());
        let mode = fs::metadata(&file).expect("metadata").permissions().mode();
        assert!(mode & 0o100 != 0, "{} is not executable", file.display());
    }
}
