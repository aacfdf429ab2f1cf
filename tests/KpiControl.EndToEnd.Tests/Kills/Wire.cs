using System.Net;
using System.Net.Sockets;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>The wire between an agent and the control plane, whose directions can be held and which can be cut.</summary>
internal sealed class Wire : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly int target;
    private readonly Lock gate = new();
    private readonly List<Socket> open = [];
    private readonly Task accepting;
    private TaskCompletionSource toControl = Open();
    private TaskCompletionSource toAgent = Open();

    private readonly Stream recording;

    /// <param name="target">The control plane's gRPC address.</param>
    /// <param name="recording">Takes what passes, in both directions.</param>
    public Wire(string target, Stream? recording = null)
    {
        this.target = new Uri(target).Port;
        this.recording = Stream.Synchronized(recording ?? Stream.Null);
        listener.Start();
        accepting = AcceptAsync();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";

    /// <summary>What the agent says from now on stays on the way.</summary>
    public void HoldToControl() => toControl = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What the control plane says from now on stays on the way.</summary>
    public void HoldToAgent() => toAgent = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends every connection, with what was held on it; new ones pass freely.</summary>
    public void Cut()
    {
        List<Socket> cut;
        lock (gate)
        {
            cut = [.. open];
            open.Clear();
        }
        // Closed with a reset, before the holds are let go: nothing held may slip through.
        cut.ForEach(socket => socket.Close(timeout: 0));
        toControl.TrySetResult();
        toAgent.TrySetResult();
        (toControl, toAgent) = (Open(), Open());
    }

    public async ValueTask DisposeAsync()
    {
        listener.Dispose();
        Cut();
        await accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var agent = await listener.AcceptSocketAsync();
                var control = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                lock (gate)
                    open.AddRange([agent, control]);
                _ = PassAsync(agent, control);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The wire is gone.
        }
    }

    private async Task PassAsync(Socket agent, Socket control)
    {
        try
        {
            await control.ConnectAsync(IPAddress.Loopback, target);
            await await Task.WhenAny(PumpAsync(agent, control, recording, () => toControl.Task), PumpAsync(control, agent, recording, () => toAgent.Task));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // One end is gone, so is the other.
        }
        agent.Dispose();
        control.Dispose();
    }

    private static async Task PumpAsync(Socket from, Socket to, Stream recording, Func<Task> held)
    {
        var buffer = new byte[1 << 16];
        for (int read; (read = await from.ReceiveAsync(buffer)) > 0;)
        {
            await held();
            recording.Write(buffer, 0, read);
            await to.SendAsync(buffer.AsMemory(0, read));
        }
    }

    private static TaskCompletionSource Open()
    {
        var source = new TaskCompletionSource();
        source.SetResult();
        return source;
    }
}
