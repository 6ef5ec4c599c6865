#!/bin/sh
# Everything that wants a GPU, in one go and without a network: the tests marked `cuda`, what is asked
# of ViT-B on CUDA, and for all the time that is left the training of the starter.
#
#     python benchmarks/pack_for_gpu.py --real DIR ...   # before, where there is a network
#     sh benchmarks/on_gpu.sh FOLDER                     # there, in a copy of this repository
#
# FOLDER ($OUT if none is given) gets table.md, figures.json, best.safetensors (float16), log.jsonl
# and on_gpu.log. The table is written anew after every part, and each part has its own time limit.
#
# May be set: SECONDS_IN_ALL (540) of which RESERVE (30) are kept for the last examination of the
# weights; PACK (for_gpu); PYTHON, one that has torch; START, weights to go on from, such as the
# best.safetensors of an earlier run; SEED of the training, another one each time; IMAGES in a step;
# ANNEAL, the share of the time over which the rate falls; EXAMINE_EVERY so many seconds; TESTS,
# arguments of pytest; PARTS, those of "tests round swap training" that are to run. On a CPU, to try
# this script: DEVICE=cpu, with less to do (MODEL=starter MASKS=10 STEPS=2 ROUNDS=1 SWAPS=2) and
# limits SLOWER=3 times as long.
set -u
began=$(date +%s)
out=${1:-${OUT:-}}
[ -n "$out" ] || { echo "Name a folder for the results, or set OUT." >&2; exit 2; }
total=${SECONDS_IN_ALL:-540} reserve=${RESERVE:-30} device=${DEVICE:-cuda}
parts=${PARTS:-tests round swap training}
cd "$(dirname "$0")/.." || exit 2
pack=$(realpath "${PACK:-for_gpu}")
mkdir -p "$out" && out=$(realpath "$out") || exit 2
[ -d "$pack/wheels" ] || { echo "No wheels in $pack: run benchmarks/pack_for_gpu.py." >&2; exit 2; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log=$out/on_gpu.log
: > "$log"

left() { echo $((total - $(date +%s) + began)); }

say() { echo "$(left) s left: $*" | tee -a "$log"; }

table() { "$py" benchmarks/on_gpu_table.py "$out" "$scratch" >> "$log" 2>&1; }

# part NAME LIMIT COMMAND...: runs a part for at most so many seconds; the script goes on in any case
part() {
    name=$1 limit=$(($2 * ${SLOWER:-1}))
    shift 2
    case " $parts " in *" $name "*) ;; *) return ;; esac
    [ "$limit" -le "$(left)" ] || limit=$(left)
    if [ "$limit" -lt 5 ]; then
        say "$name: no time"
        echo "$name skipped" >> "$scratch/parts"
        return
    fi
    say "$name, at most $limit s"
    timeout -k 5 "$limit" "$@" >> "$log" 2>&1
    status=$?
    say "$name ended with $status"
    echo "$name $status" >> "$scratch/parts"
    table
}

# ---- an environment: the Python that has torch, and our wheels for what it lacks ----
for torch_python in ${PYTHON:-python3 python /opt/*/bin/python3 /opt/*/.venv/bin/python3} none; do
    "$torch_python" -c "import torch, torchvision" 2>> "$log" && break
done
[ "$torch_python" != none ] || { say "no Python here has torch and torchvision: set PYTHON"; exit 3; }
"$torch_python" - "$device" "$scratch" >> "$log" 2>&1 <<'EOF' || { say "torch sees no $device"; exit 3; }
import os, pathlib, platform, sys, sysconfig, torch, torchvision
device, scratch = sys.argv[1], pathlib.Path(sys.argv[2])
cuda = device.startswith("cuda")
named = torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine()
torch.zeros(1, device=device)
described = f"{named}, {len(os.sched_getaffinity(0))} cores, torch {torch.__version__}"
(scratch / "machine").write_text(f"{device}\n{described}, Python {platform.python_version()}\n")
# both of them: a Python may keep torch elsewhere than the rest
places = dict.fromkeys([str(pathlib.Path(torch.__file__).parents[1]), *sysconfig.get_paths().values()])
(scratch / "torch.pth").write_text("\n".join(p for p in places if p.endswith("-packages")) + "\n")
EOF
"$torch_python" -m venv --without-pip "$scratch/venv" >> "$log" 2>&1 || { say "no venv"; exit 3; }
py=$scratch/venv/bin/python
cp "$scratch/torch.pth" "$("$py" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
"$torch_python" -m pip --isolated --python "$py" install --quiet --no-index --no-compile \
    --find-links "$pack/wheels" --requirement "$pack/requirements.txt" >> "$log" 2>&1 ||
    { say "the wheels in $pack do not do here, see $log"; tail -5 "$log"; exit 3; }
cores=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc) # it obeys them
export PYTHONPATH="$PWD" PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
say "ready on $device, $cores cores, $("$torch_python" -V)"
table

# ---- the parts ----
# shellcheck disable=SC2086
part tests 150 env SAM_TUNE_DEVICE="$device" "$py" -m pytest -p no:napari -p no:cacheprovider \
    -W default -n $((cores < 6 ? cores : 6)) --junitxml "$scratch/tests.xml" \
    tests/core/test_cuda.py ${TESTS:-}
part round 150 "$py" benchmarks/a_round.py --model "${MODEL:-vit_b}" --device "$device" \
    --masks "${MASKS:-64}" --steps "${STEPS:-100}" --rounds "${ROUNDS:-5}" --json "$scratch/round.json"
part swap 60 "$py" benchmarks/hot_swap.py --model "${MODEL:-vit_b}" --device "$device" \
    --swaps "${SWAPS:-30}" --json "$scratch/swap.json"
# it ends by itself, the limit is for what hangs; before its first examination there are these weights
start=${START:-resources/starter.safetensors}
[ -e "$out/best.safetensors" ] || cp "$start" "$out/best.safetensors" || exit 2
surfaces=$pack/surfaces
[ -d "$surfaces" ] || surfaces=
hours=$(awk "BEGIN { print ($(left) - $reserve) / 3600 }")
part training $(($(left) - 5)) "$py" -m napari_sam_tune.starter.training --run "$out" \
    --hours "$hours" --anneal "${ANNEAL:-0.4}" --device "$device" --processes "$cores" \
    --images "${IMAGES:-64}" --sizes 256 512 512 --seed "${SEED:-12}" \
    --examine-every "${EXAMINE_EVERY:-90}" --start "$start" --real "$pack"/photographs/* \
    ${surfaces:+--surfaces "$surfaces"}
rm -f "$out/checkpoint.pt" "$out/.checkpoint.pt" # six times the weights, and START does without
table
cat "$out/table.md"
# a part that failed is a failure of the whole
! grep -qv ' 0$' "$scratch/parts"
