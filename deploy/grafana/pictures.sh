#!/bin/sh
# Draws docs/dashboards/*.png from the demo's traffic: runs `evertune demo` beside a Prometheus with our rules, then
# asks it what the dashboards ask. About six minutes. Needs `prometheus`; run it from the root of the repository.
#
#     PATH="$PWD/.venv/bin:$PATH" deploy/grafana/pictures.sh
set -eu

root=$(pwd)
work=$(mktemp -d)
port=${PROMETHEUS_PORT:-19090}
prometheus_pid=
stop() {
    [ -z "$prometheus_pid" ] || kill "$prometheus_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

# The demo picks its ports; Prometheus reads them from here as soon as they are known.
echo '[]' >"$work/monitor.json"
echo '[]' >"$work/serve.json"
cat >"$work/prometheus.yml" <<CONFIG
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: ["$root/monitoring/rules/*.yml"]
scrape_configs:
  - job_name: evertune-monitor
    file_sd_configs: [{files: ["$work/monitor.json"], refresh_interval: 1s}]
  - job_name: evertune-serve
    file_sd_configs: [{files: ["$work/serve.json"], refresh_interval: 1s}]
CONFIG
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
    --web.listen-address="127.0.0.1:$port" 2>"$work/prometheus.log" &
prometheus_pid=$!

evertune demo --output "$work/demo" >"$work/demo.log" 2>&1 &
demo_pid=$!
until settings=$(ls "$work"/demo/*/evertune.toml 2>/dev/null); do
    kill -0 "$demo_pid" || { cat "$work/demo.log" >&2; exit 1; }
    sleep 1
done
sleep 1
for section in serve monitor; do
    value=$(sed -n "/^\[$section\]/,/^\[/s/^port = //p" "$settings")
    echo "[{\"targets\": [\"127.0.0.1:$value\"]}]" >"$work/$section.json.new"
    mv "$work/$section.json.new" "$work/$section.json"
done
wait "$demo_pid" || { cat "$work/demo.log" >&2; exit 1; }

python -m monitoring.dashboards draw "http://127.0.0.1:$port" --minutes "${MINUTES:-2}" --end last --scrape 1
