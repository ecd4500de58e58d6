"""Real searches on Fashion-MNIST, ours and others', in one space and under the same limits."""
