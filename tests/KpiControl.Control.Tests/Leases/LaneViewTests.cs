using KpiControl.Control.Leases;

namespace KpiControl.Control.Tests.Leases;

/// <summary>Credit may come at any moment of a round: none is forgotten.</summary>
public sealed class LaneViewTests
{
    private readonly LaneView _view = new(new Lane(1, "eu", 3));

    public LaneViewTests()
    {
        _view.TakeCursorsDirty();
        _view.TakeReadyDirty();
        _view.TakeQueueDirty();
        _view.TakeAsideDirty();
        _view.NextDue = _view.NextReady = _view.NextAside = DateTimeOffset.MaxValue;
    }

    [Fact]
    public void Credit_that_comes_while_a_round_is_leaving_work_is_news()
    {
        _view.TakeCredit();
        _view.CreditArrived();
        _view.LeftWork = true;

        Assert.True(_view.HasNews);
        _view.TakeCredit();
        Assert.Equal((DateTimeOffset.MinValue, DateTimeOffset.MinValue, DateTimeOffset.MinValue, false), (_view.NextDue, _view.NextReady, _view.NextAside, _view.LeftWork));
    }

    [Fact]
    public void Credit_that_nothing_was_left_for_moves_no_look_forward()
    {
        _view.CreditArrived();
        _view.TakeCredit();

        Assert.False(_view.HasNews);
        Assert.Equal((DateTimeOffset.MaxValue, DateTimeOffset.MaxValue), (_view.NextDue, _view.NextReady));
    }
}
