namespace KpiControl.Agent.Leasing;

/// <summary>
/// Where each slot is: free, granted to control as credit, or running an attempt. The three add up to the total, so
/// control can never hold more credit than the agent has room. A slot runs until its result is on disk.
/// </summary>
internal sealed class Slots(int total)
{
    private readonly Lock gate = new();
    private int granted;
    private int running;

    public int Total { get; } = total;

    public int Granted
    {
        get { lock (gate) return granted; }
    }

    public int Running
    {
        get { lock (gate) return running; }
    }

    /// <summary>Grants whatever is free; all that has gathered goes in one message.</summary>
    public int Grant()
    {
        lock (gate)
        {
            var free = Math.Max(0, Total - granted - running);
            granted += free;
            return free;
        }
    }

    /// <summary>Credit is of one stream: with its end it is void.</summary>
    public void Revoke()
    {
        lock (gate) granted = 0;
    }

    /// <summary>False when control had no credit left for this lease.</summary>
    public bool Received()
    {
        lock (gate)
        {
            running++;
            if (granted == 0)
                return false;
            granted--;
            return true;
        }
    }

    public void Released()
    {
        lock (gate) running--;
    }
}
