using KpiControl.Agent.Execution;
using KpiControl.Agent.Executors;

namespace KpiControl.Agent.Tests.Execution;

public sealed class AttemptEndTests
{
    private static AttemptEnd End(StopReason reason, string? status) =>
        AttemptEnd.Of(reason, status is null ? null : new Outcome { Status = status, Executor = "x" }, "x", TimeSpan.FromSeconds(1));

    [Fact]
    public void A_real_result_is_reported_whatever_stopped_the_attempt()
    {
        foreach (var reason in Enum.GetValues<StopReason>())
            Assert.Equal(("success", AttemptEndKind.Report), (End(reason, "success").Outcome?.Status, End(reason, "success").Kind));
    }

    [Fact]
    public void Nothing_is_said_of_an_attempt_that_others_may_hold()
    {
        foreach (var status in new[] { null, "cancelled", "failed" })
        {
            Assert.Equal(AttemptEndKind.Drop, End(StopReason.LostTrust, status).Kind);
            Assert.Equal(AttemptEndKind.Drop, End(StopReason.LostLease, status).Kind);
        }
    }

    [Fact]
    public void A_draining_agent_gives_it_back() => Assert.Equal(AttemptEndKind.Return, End(StopReason.Draining, "cancelled").Kind);

    [Fact]
    public void A_failure_that_the_stop_caused_is_told_as_the_stop()
    {
        Assert.Equal("EXEC_TIMEOUT", End(StopReason.Timeout, "failed").Outcome?.ErrorCode);
        Assert.Equal("cancelled", End(StopReason.Cancelled, "failed").Outcome?.Status);
        Assert.Equal("failed", End(StopReason.None, "failed").Outcome?.Status);
    }
}
