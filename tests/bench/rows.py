"""The rows of the table, and the services that most measurements ask for."""

from __future__ import annotations

from support.agent_process import AgentProcess

Row = tuple[str, float, float, str, float, float]  # name, measured, reference, unit, ratio, what Consul gets


def register_web(agent: AgentProcess, instances: int = 50) -> None:
    for number in range(instances):
        service = {"ID": f"web-{number}", "Service": "web", "Port": 8000 + number, "Tags": ["v1"]}
        check = {"CheckID": f"web-{number}", "Name": "alive", "Status": "passing", "ServiceID": f"web-{number}"}
        node = {"Node": f"node-{number}", "Address": f"10.0.0.{number + 1}"}
        agent.put("/v1/catalog/register", {**node, "Service": service, "Check": check})


def row(name: str, measured: float, reference: float, unit: str, consul: float, inverse: bool = False) -> Row:
    return name, measured, reference, unit, reference / measured if inverse else measured / reference, consul
