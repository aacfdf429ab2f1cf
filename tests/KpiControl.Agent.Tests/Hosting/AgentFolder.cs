using KpiControl.Testing;

namespace KpiControl.Agent.Tests.Hosting;

/// <summary>A directory with what an agent needs: token, connection file, outbox. Removed with the test.</summary>
public sealed class AgentFolder : IDisposable
{
    public AgentFolder()
    {
        Path = Directory.CreateTempSubdirectory("kpi-agent-test-").FullName;
        PrivateText.Write(Token, "test-token\n");
        File.WriteAllText(Connections, "connections:\n  kpi:\n    driver: http\n    endpoint: http://127.0.0.1:1\n");
    }

    public string Path { get; }
    public string Outbox => System.IO.Path.Combine(Path, "outbox");
    public string Token => System.IO.Path.Combine(Path, "token");
    public string Connections => System.IO.Path.Combine(Path, "connections.yaml");

    public Dictionary<string, string?> Settings(string address) => new()
    {
        ["Agent:Name"] = "agent-1",
        ["Agent:Region"] = "eu",
        ["Agent:Slots"] = "2",
        ["Agent:ConnectionsFile"] = Connections,
        ["Agent:ControlPlane:Address"] = address,
        ["Agent:ControlPlane:Token"] = "file:" + Token,
        ["Agent:ControlPlane:ShortestPause"] = "00:00:00.05",
        ["Agent:ControlPlane:LongestPause"] = "00:00:00.2",
        ["Agent:Outbox:Directory"] = Outbox,
        ["Agent:Outbox:RetryEvery"] = "00:00:00.1",
    };

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
