"""Put ``recipes/`` into wheels as ``janus_core/recipes``; an editable install reads the folder of the repository."""

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict) -> None:
        if version == "standard":
            build_data["force_include"]["recipes"] = "janus_core/recipes"
