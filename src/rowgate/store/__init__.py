"""Where applications, secrets, grants, blocks, revocations and keys are kept."""
