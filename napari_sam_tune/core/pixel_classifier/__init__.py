"""What is learnt at every accept: a linear classifier of pixels on pretrained features."""
