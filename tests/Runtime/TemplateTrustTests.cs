using CsCheck;
using Vks.Runtime.Templates;

namespace Vks.Tests.Runtime;

/// <summary>When starts that failed speak against their template.</summary>
public sealed class TemplateTrustTests
{
    [Fact]
    public void A_template_that_cannot_be_loaded_is_given_up_at_once() => Assert.True(new TemplateTrust().Blame("a", isSlow: false));

    [Fact]
    public void Slow_starts_count_only_in_a_row_and_for_each_template_by_itself() =>
        Gen.Select(Gen.Int[0, 1], Gen.Int[0, 2]).Array[0, 60].Sample(starts =>
        {
            var trust = new TemplateTrust();
            int[] slow = [0, 0];
            foreach ((int template, int outcome) in starts)
            {
                if (outcome == 0)
                {
                    trust.Praise($"{template}");
                    slow[template] = 0;
                    continue;
                }

                slow[template] = outcome == 1 ? slow[template] + 1 : TemplateTrust.MostSlowStarts;
                bool expected = slow[template] == TemplateTrust.MostSlowStarts;
                Assert.Equal(expected, trust.Blame($"{template}", isSlow: outcome == 1));
                slow[template] = expected ? 0 : slow[template];
            }
        });
}
