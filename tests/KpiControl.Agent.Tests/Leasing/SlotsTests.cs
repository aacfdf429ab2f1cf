using KpiControl.Agent.Leasing;

namespace KpiControl.Agent.Tests.Leasing;

public sealed class SlotsTests
{
    [Fact]
    public void Credit_gathers_and_is_granted_once()
    {
        var slots = new Slots(8);

        Assert.Equal(8, slots.Grant());
        Assert.Equal(0, slots.Grant());
    }

    [Fact]
    public void A_freed_slot_is_granted_again_and_a_running_one_is_not()
    {
        var slots = new Slots(3);
        slots.Grant();
        Assert.True(slots.Received());
        Assert.True(slots.Received());
        slots.Released();

        Assert.Equal(1, slots.Grant());
        Assert.Equal(3, slots.Granted + slots.Running);
    }

    [Fact]
    public void A_lease_without_credit_is_noticed_and_costs_credit_later()
    {
        var slots = new Slots(1);
        slots.Grant();
        Assert.True(slots.Received());
        Assert.False(slots.Received());
        slots.Released();

        Assert.Equal(0, slots.Grant());
    }

    [Fact]
    public void The_end_of_a_stream_voids_its_credit_but_not_what_runs()
    {
        var slots = new Slots(4);
        slots.Grant();
        slots.Received();
        slots.Revoke();

        Assert.Equal(3, slots.Grant());
    }
}
