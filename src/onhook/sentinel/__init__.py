"""Ring 3: a service beside a LiveKit deployment that saves calls nobody on the agent's host can.

Signals come in as `sightings`; `calls` folds them into what is known of each call; `detectors`
judge that, purely; the rescuer climbs a plan; `fleet` keeps several sentinels out of each other's
way.
"""
