using System.Threading.Channels;

namespace KpiControl.Agent.Leasing;

/// <summary>Wakes one waiter; several wakes before it looks count as one.</summary>
internal sealed class Signal
{
    private readonly Channel<bool> wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Wake() => wakes.Writer.TryWrite(true);

    public ValueTask<bool> WaitAsync(CancellationToken token) => wakes.Reader.ReadAsync(token);
}
