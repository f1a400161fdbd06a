"""What the commands of `metarl` do, a file each; `metarl.cli` turns flags into their options."""
