"""How rounds train where a test is about the way through them."""

from napari_sam_tune.core.config import GateConfig, TrainConfig

# Few, quick steps, and a gate that takes what is better at all: what is tested is the way through.
QUICK = TrainConfig(
    steps=8,
    batch_size=2,
    corrections=1,
    robot_clicks=2,
    judge_objects=4,
    prompts_per_mask=100,
    learning_rate=1e-3,
    look_every=8,
    gate=GateConfig(confidence=0.51, fewest_objects=1, class_loss=1.0),
)
