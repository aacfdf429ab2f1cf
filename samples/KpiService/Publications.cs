namespace KpiControl.Samples.KpiService;

/// <summary>What has been published: by idempotency key the greatest fence seen and the answer given. In memory: a sample.</summary>
internal sealed class Publications
{
    private sealed record Entry(int Epoch, long Number, string Call, byte[]? Answer);

    private readonly Lock gate = new();
    private readonly Dictionary<string, Entry> entries = [];

    /// <summary>Raises the key's fence and returns the answer given before to the same call, or null. A smaller fence is refused.</summary>
    public byte[]? Enter(string key, string fence, string call)
    {
        var (epoch, number) = Parse(fence);
        lock (gate)
        {
            var known = entries.GetValueOrDefault(key);
            if (known is not null && (epoch, number).CompareTo((known.Epoch, known.Number)) < 0)
                throw new Refusal(409, "CONFLICT", $"fence {fence} is stale: a later attempt of this occurrence was here");
            var answer = known?.Call == call ? known.Answer : null;
            entries[key] = new Entry(epoch, number, call, answer);
            return answer;
        }
    }

    /// <summary>Publishes, unless a later attempt came in between.</summary>
    public void Publish(string key, string fence, string call, byte[] answer)
    {
        var (epoch, number) = Parse(fence);
        lock (gate)
        {
            if (entries[key] is var known && (epoch, number).CompareTo((known.Epoch, known.Number)) < 0)
                throw new Refusal(409, "CONFLICT", $"fence {fence} is stale: a later attempt of this occurrence was here");
            entries[key] = new Entry(epoch, number, call, answer);
        }
    }

    private static (int, long) Parse(string fence) =>
        fence.Split('.') is [var epoch, var number] && int.TryParse(epoch, out var e) && long.TryParse(number, out var n)
            ? (e, n) : throw new Refusal(400, "SCHEMA_MISMATCH", "X-Fence must be epoch.number");
}
